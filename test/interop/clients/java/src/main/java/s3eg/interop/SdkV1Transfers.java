package s3eg.interop;

import com.amazonaws.services.s3.model.CompleteMultipartUploadRequest;
import com.amazonaws.services.s3.model.InitiateMultipartUploadRequest;
import com.amazonaws.services.s3.model.PartETag;
import com.amazonaws.services.s3.model.UploadPartRequest;
import com.amazonaws.services.s3.transfer.TransferManager;
import com.amazonaws.services.s3.transfer.TransferManagerBuilder;
import java.util.ArrayList;
import java.util.List;
import s3eg.interop.Driver.Stored;

/** Uploads and downloads in parts: by hand with lengths of the caller's, and by the transfer manager as it comes. */
final class SdkV1Transfers {
  private final SdkV1Clients clients;

  SdkV1Transfers(SdkV1Clients clients) {
    this.clients = clients;
  }

  Object multipart(Call call) {
    var client = clients.of(call.target());
    var created =
        client.initiateMultipartUpload(
            new InitiateMultipartUploadRequest(call.bucket(), call.key(), SdkV1.metadata(call)));
    var parts = sendParts(call, created.getUploadId());
    var completed =
        client.completeMultipartUpload(
            new CompleteMultipartUploadRequest(call.bucket(), call.key(), created.getUploadId(), parts));
    return Stored.named(completed.getETag());
  }

  private List<PartETag> sendParts(Call call, String uploadId) {
    var parts = new ArrayList<PartETag>();
    var offset = 0L;
    for (var length : call.partLengths()) {
      var request =
          new UploadPartRequest()
              .withBucketName(call.bucket())
              .withKey(call.key())
              .withUploadId(uploadId)
              .withPartNumber(parts.size() + 1)
              .withFile(call.file().toFile())
              .withFileOffset(offset)
              .withPartSize(length);
      parts.add(clients.of(call.target()).uploadPart(request).getPartETag());
      offset += length;
    }
    return parts;
  }

  Object upload(Call call) throws InterruptedException {
    var manager = manager(call);
    try {
      var upload = manager.upload(call.bucket(), call.key(), call.file().toFile());
      return Stored.named(upload.waitForUploadResult().getETag());
    } finally {
      manager.shutdownNow(false);
    }
  }

  Object download(Call call) throws InterruptedException {
    var manager = manager(call);
    try {
      manager.download(call.bucket(), call.key(), call.file().toFile()).waitForCompletion();
      return Driver.DONE;
    } finally {
      manager.shutdownNow(false);
    }
  }

  private TransferManager manager(Call call) {
    return TransferManagerBuilder.standard().withS3Client(clients.of(call.target())).build();
  }
}
