package s3eg.interop;

import com.amazonaws.ClientConfiguration;
import com.amazonaws.auth.AWSStaticCredentialsProvider;
import com.amazonaws.auth.BasicAWSCredentials;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import java.util.HashMap;
import java.util.Map;
import s3eg.interop.Call.Target;

/**
 * Clients with nothing set but endpoint, region, credentials and style of address. Nothing is retried: the tests see
 * what the server did, once.
 */
final class SdkV1Clients {
  private final Map<Target, AmazonS3> clients = new HashMap<>();

  AmazonS3 of(Target target) {
    return clients.computeIfAbsent(
        target,
        wanted ->
            AmazonS3ClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(wanted.endpoint(), "us-east-1"))
                .withCredentials(
                    new AWSStaticCredentialsProvider(
                        new BasicAWSCredentials(wanted.accessKeyId(), wanted.secretAccessKey())))
                .withPathStyleAccessEnabled(wanted.pathStyle())
                .withClientConfiguration(new ClientConfiguration().withMaxErrorRetry(0))
                .build());
  }
}
