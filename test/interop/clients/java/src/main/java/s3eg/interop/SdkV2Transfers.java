package s3eg.interop;

import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import s3eg.interop.Driver.Stored;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.CompletedPart;

/** Uploads and downloads in parts: by hand with lengths of the caller's, and by the transfer manager as it comes. */
final class SdkV2Transfers {
  private final SdkV2Clients clients;

  SdkV2Transfers(SdkV2Clients clients) {
    this.clients = clients;
  }

  Object multipart(Call call) throws IOException {
    var client = clients.of(call.target());
    // The algorithm is named, as the SDK's users must: parts then carry it, and S3 wants it back in Complete.
    var created =
        client.createMultipartUpload(
            request ->
                request
                    .bucket(call.bucket())
                    .key(call.key())
                    .checksumAlgorithm(ChecksumAlgorithm.CRC32)
                    .contentType(call.text("contentType"))
                    .metadata(call.pairs("metadata")));
    var parts = sendParts(call, created.uploadId());
    var completed =
        client.completeMultipartUpload(
            request ->
                request
                    .bucket(call.bucket())
                    .key(call.key())
                    .uploadId(created.uploadId())
                    .multipartUpload(upload -> upload.parts(parts)));
    return Stored.named(completed.eTag());
  }

  private List<CompletedPart> sendParts(Call call, String uploadId) throws IOException {
    var parts = new ArrayList<CompletedPart>();
    try (var channel = FileChannel.open(call.file())) {
      var file = Channels.newInputStream(channel);
      for (var length : call.partLengths()) {
        var number = parts.size() + 1;
        var sent =
            clients
                .of(call.target())
                .uploadPart(
                    request ->
                        request
                            .bucket(call.bucket())
                            .key(call.key())
                            .uploadId(uploadId)
                            .partNumber(number)
                            .checksumAlgorithm(ChecksumAlgorithm.CRC32),
                    RequestBody.fromInputStream(file, length));
        parts.add(
            CompletedPart.builder()
                .partNumber(number)
                .eTag(sent.eTag())
                .checksumCRC32(sent.checksumCRC32())
                .build());
      }
    }
    return parts;
  }

  Object upload(Call call) {
    var upload =
        clients
            .manager(call.target())
            .uploadFile(
                wanted ->
                    wanted
                        .source(call.file())
                        .putObjectRequest(request -> request.bucket(call.bucket()).key(call.key())));
    return Stored.named(upload.completionFuture().join().response().eTag());
  }

  Object download(Call call) {
    clients
        .manager(call.target())
        .downloadFile(
            wanted ->
                wanted
                    .destination(call.file())
                    .getObjectRequest(request -> request.bucket(call.bucket()).key(call.key())))
        .completionFuture()
        .join();
    return Driver.DONE;
  }
}
