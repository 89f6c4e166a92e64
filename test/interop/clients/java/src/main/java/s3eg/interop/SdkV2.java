package s3eg.interop;

import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import s3eg.interop.Driver.Command;
import s3eg.interop.Driver.Failure;
import s3eg.interop.Driver.Listing;
import s3eg.interop.Driver.Stored;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.sync.ResponseTransformer;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.S3Exception;

/** AWS SDK for Java v2, with its synchronous client; given `native`, its transfer manager is that of the common runtime. */
final class SdkV2 {
  private final SdkV2Clients clients;

  private SdkV2(boolean isNative) {
    this.clients = new SdkV2Clients(isNative);
  }

  public static void main(String[] arguments) throws IOException {
    Driver.serve(new SdkV2(List.of(arguments).contains("native")).commands(), SdkV2::failureOf);
  }

  private Map<String, Command> commands() {
    var transfers = new SdkV2Transfers(clients);
    var commands = new HashMap<String, Command>();
    commands.put("create-bucket", this::createBucket);
    commands.put("delete-bucket", this::deleteBucket);
    commands.put("put", this::put);
    commands.put("get", this::get);
    commands.put("head", this::head);
    commands.put("list", this::list);
    commands.put("copy", this::copy);
    commands.put("delete", this::delete);
    commands.put("multipart", transfers::multipart);
    commands.put("upload", transfers::upload);
    commands.put("download", transfers::download);
    commands.put("presign", SdkV2Presign::presign);
    commands.putAll(new SdkV2Details(clients).commands());
    return commands;
  }

  private static Failure failureOf(Throwable thrown) {
    var cause = thrown instanceof CompletionException && thrown.getCause() != null ? thrown.getCause() : thrown;
    if (!(cause instanceof S3Exception refused)) return Driver.broken(cause);
    // An answer without a body, as HEAD's, has no code.
    var code = refused.awsErrorDetails() == null ? null : refused.awsErrorDetails().errorCode();
    var named = code == null || code.isEmpty() ? refused.getClass().getSimpleName() : code;
    return new Failure(named, String.valueOf(refused.getMessage()), refused.statusCode());
  }

  private S3Client client(Call call) {
    return clients.of(call.target());
  }

  private Object createBucket(Call call) {
    client(call).createBucket(request -> request.bucket(call.bucket()));
    return Driver.DONE;
  }

  private Object deleteBucket(Call call) {
    client(call).deleteBucket(request -> request.bucket(call.bucket()));
    return Driver.DONE;
  }

  private Object put(Call call) {
    var answer =
        client(call)
            .putObject(
                request ->
                    request
                        .bucket(call.bucket())
                        .key(call.key())
                        .contentType(call.text("contentType"))
                        .metadata(call.pairs("metadata"))
                        .checksumAlgorithm(call.text("checksum"))
                        .ifNoneMatch(call.text("ifNoneMatch")),
                RequestBody.fromFile(call.file()));
    return Stored.named(answer.eTag());
  }

  private Object get(Call call) throws IOException {
    // The SDK does not write over a file.
    Files.deleteIfExists(call.file());
    var answer =
        client(call)
            .getObject(
                request ->
                    request
                        .bucket(call.bucket())
                        .key(call.key())
                        .range(call.text("range"))
                        .versionId(call.text("versionId"))
                        .checksumMode(call.text("checksumMode")),
                ResponseTransformer.toFile(call.file()));
    return new Stored(null, answer.eTag(), answer.contentLength(), answer.contentType(), answer.metadata());
  }

  private Object head(Call call) {
    var answer = client(call).headObject(request -> request.bucket(call.bucket()).key(call.key()));
    return new Stored(null, answer.eTag(), answer.contentLength(), answer.contentType(), answer.metadata());
  }

  private Object list(Call call) {
    var pages =
        client(call)
            .listObjectsV2Paginator(
                request ->
                    request
                        .bucket(call.bucket())
                        .prefix(call.text("prefix"))
                        .maxKeys((int) call.number("pageSize")));
    var count = 0;
    var objects = new ArrayList<Stored>();
    for (var page : pages) {
      count++;
      page.contents().forEach(found -> objects.add(new Stored(found.key(), found.eTag(), found.size(), null, null)));
    }
    return new Listing(count, objects);
  }

  private Object copy(Call call) {
    var answer =
        client(call)
            .copyObject(
                request ->
                    request
                        .sourceBucket(call.bucket())
                        .sourceKey(call.key())
                        .destinationBucket(call.text("toBucket"))
                        .destinationKey(call.text("toKey")));
    return Stored.named(answer.copyObjectResult().eTag());
  }

  private Object delete(Call call) {
    if (call.key() != null) {
      client(call).deleteObject(
              request -> request.bucket(call.bucket()).key(call.key()).versionId(call.text("versionId")));
      return Driver.DONE;
    }
    var names = call.texts("keys").stream().map(key -> ObjectIdentifier.builder().key(key).build()).toList();
    var answer =
        client(call)
            .deleteObjects(request -> request.bucket(call.bucket()).delete(named -> named.objects(names)));
    return Map.of("deleted", answer.deleted().size(), "errors", answer.errors().size());
  }
}
