package s3eg.interop;

import java.net.URI;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import s3eg.interop.Driver.Presigned;
import software.amazon.awssdk.awscore.AwsRequestOverrideConfiguration;
import software.amazon.awssdk.awscore.presigner.PresignedRequest;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/** Signs one request for later; its extra headers are signed with it. */
final class SdkV2Presign {
  private SdkV2Presign() {}

  static Presigned presign(Call call) {
    try (var signer = signer(call.target())) {
      var signed = presigned(signer, call);
      return new Presigned(
          signed.url().toString(), signed.httpRequest().method().name(), headersToSend(signed));
    }
  }

  private static S3Presigner signer(Call.Target target) {
    return S3Presigner.builder()
        .endpointOverride(URI.create(target.endpoint()))
        .region(Region.US_EAST_1)
        .credentialsProvider(SdkV2Clients.credentials(target))
        .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(target.pathStyle()).build())
        .build();
  }

  private static PresignedRequest presigned(S3Presigner signer, Call call) {
    var bucket = call.bucket();
    var key = call.key();
    var extra = extraHeaders(call.pairs("headers"));
    var validity = Duration.ofSeconds(call.number("expiresSeconds"));
    return switch (call.text("operation")) {
      case "GetObject" ->
          signer.presignGetObject(
              url ->
                  url.signatureDuration(validity)
                      .getObjectRequest(
                          request -> request.bucket(bucket).key(key).overrideConfiguration(extra)));
      case "PutObject" ->
          signer.presignPutObject(
              url ->
                  url.signatureDuration(validity)
                      .putObjectRequest(
                          request -> request.bucket(bucket).key(key).overrideConfiguration(extra)));
      case "HeadObject" ->
          signer.presignHeadObject(
              url ->
                  url.signatureDuration(validity)
                      .headObjectRequest(
                          request -> request.bucket(bucket).key(key).overrideConfiguration(extra)));
      case "DeleteObject" ->
          signer.presignDeleteObject(
              url ->
                  url.signatureDuration(validity)
                      .deleteObjectRequest(
                          request -> request.bucket(bucket).key(key).overrideConfiguration(extra)));
      case "UploadPart" ->
          signer.presignUploadPart(
              url ->
                  url.signatureDuration(validity)
                      .uploadPartRequest(
                          request ->
                              request
                                  .bucket(bucket)
                                  .key(key)
                                  .uploadId(call.text("uploadId"))
                                  .partNumber((int) call.number("partNumber"))
                                  .overrideConfiguration(extra)));
      default -> throw new IllegalArgumentException("no such operation: " + call.text("operation"));
    };
  }

  private static AwsRequestOverrideConfiguration extraHeaders(Map<String, String> headers) {
    var settings = AwsRequestOverrideConfiguration.builder();
    headers.forEach(settings::putHeader);
    return settings.build();
  }

  /** Leaves out Host, which every HTTP client sends by itself. */
  private static Map<String, String> headersToSend(PresignedRequest signed) {
    var headers = new HashMap<String, String>();
    signed
        .signedHeaders()
        .forEach(
            (name, values) -> {
              if (!name.equalsIgnoreCase("host")) headers.put(name, String.join(",", values));
            });
    return headers;
  }
}
