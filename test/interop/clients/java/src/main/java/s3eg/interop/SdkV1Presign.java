package s3eg.interop;

import com.amazonaws.HttpMethod;
import com.amazonaws.services.s3.model.GeneratePresignedUrlRequest;
import java.util.Date;
import s3eg.interop.Driver.Presigned;

/** Signs one request for later; its extra headers are signed with it. */
final class SdkV1Presign {
  private final SdkV1Clients clients;

  SdkV1Presign(SdkV1Clients clients) {
    this.clients = clients;
  }

  Presigned presign(Call call) {
    var operation = call.text("operation");
    var method =
        switch (operation) {
          case "GetObject" -> HttpMethod.GET;
          case "PutObject", "UploadPart" -> HttpMethod.PUT;
          case "HeadObject" -> HttpMethod.HEAD;
          case "DeleteObject" -> HttpMethod.DELETE;
          default -> throw new IllegalArgumentException("no such operation: " + operation);
        };
    var request =
        new GeneratePresignedUrlRequest(call.bucket(), call.key(), method)
            .withExpiration(new Date(System.currentTimeMillis() + 1000 * call.number("expiresSeconds")));
    if (operation.equals("UploadPart")) {
      request.addRequestParameter("uploadId", call.text("uploadId"));
      request.addRequestParameter("partNumber", String.valueOf(call.number("partNumber")));
    }
    var headers = call.pairs("headers");
    headers.forEach(request::putCustomRequestHeader);
    var url = clients.of(call.target()).generatePresignedUrl(request);
    return new Presigned(url.toString(), method.name(), headers);
  }
}
