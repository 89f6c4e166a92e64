package s3eg.interop;

import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import s3eg.interop.Call.Target;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.transfer.s3.S3TransferManager;

/**
 * Clients with nothing set but endpoint, region, credentials and style of address. Nothing is retried: the tests see
 * what the server did, once.
 */
final class SdkV2Clients {
  private final Map<Target, S3Client> clients = new HashMap<>();
  private final Map<Target, S3TransferManager> managers = new HashMap<>();
  private final boolean isNative;

  /** `isNative` chooses the client of AWS's common runtime, written in C, for the transfer manager. */
  SdkV2Clients(boolean isNative) {
    this.isNative = isNative;
  }

  S3Client of(Target target) {
    return clients.computeIfAbsent(
        target,
        wanted ->
            S3Client.builder()
                .endpointOverride(URI.create(wanted.endpoint()))
                .region(Region.US_EAST_1)
                .credentialsProvider(credentials(wanted))
                .forcePathStyle(wanted.pathStyle())
                .overrideConfiguration(settings -> settings.retryStrategy(AwsRetryStrategy.doNotRetry()))
                .build());
  }

  S3TransferManager manager(Target target) {
    return managers.computeIfAbsent(
        target,
        wanted -> {
          var client = isNative ? commonRuntime(wanted) : asynchronous(wanted);
          return S3TransferManager.builder().s3Client(client).build();
        });
  }

  private static S3AsyncClient commonRuntime(Target target) {
    return S3AsyncClient.crtBuilder()
        .endpointOverride(URI.create(target.endpoint()))
        .region(Region.US_EAST_1)
        .credentialsProvider(credentials(target))
        .forcePathStyle(target.pathStyle())
        .retryConfiguration(retries -> retries.numRetries(0))
        .build();
  }

  private static S3AsyncClient asynchronous(Target target) {
    return S3AsyncClient.builder()
        .endpointOverride(URI.create(target.endpoint()))
        .region(Region.US_EAST_1)
        .credentialsProvider(credentials(target))
        .forcePathStyle(target.pathStyle())
        .overrideConfiguration(settings -> settings.retryStrategy(AwsRetryStrategy.doNotRetry()))
        .multipartEnabled(true)
        .build();
  }

  static StaticCredentialsProvider credentials(Target target) {
    return StaticCredentialsProvider.create(
        AwsBasicCredentials.create(target.accessKeyId(), target.secretAccessKey()));
  }
}
