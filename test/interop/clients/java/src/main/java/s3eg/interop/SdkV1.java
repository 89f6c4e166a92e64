package s3eg.interop;

import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.model.AmazonS3Exception;
import com.amazonaws.services.s3.model.DeleteObjectsRequest;
import com.amazonaws.services.s3.model.GetObjectRequest;
import com.amazonaws.services.s3.model.ListObjectsV2Request;
import com.amazonaws.services.s3.model.ListObjectsV2Result;
import com.amazonaws.services.s3.model.ObjectMetadata;
import com.amazonaws.services.s3.model.PutObjectRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;
import s3eg.interop.Driver.Command;
import s3eg.interop.Driver.Failure;
import s3eg.interop.Driver.Listing;
import s3eg.interop.Driver.Stored;

/** AWS SDK for Java v1: it takes an ETag without a hyphen for the MD5 of what it sent or got, and checks it. */
final class SdkV1 {
  private static final Pattern RANGE = Pattern.compile("bytes=(\\d+)-(\\d+)");

  private final SdkV1Clients clients = new SdkV1Clients();

  private SdkV1() {}

  public static void main(String[] arguments) throws IOException {
    Driver.serve(new SdkV1().commands(), SdkV1::failureOf);
  }

  private Map<String, Command> commands() {
    var transfers = new SdkV1Transfers(clients);
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
    commands.put("presign", new SdkV1Presign(clients)::presign);
    return commands;
  }

  private static Failure failureOf(Throwable thrown) {
    if (!(thrown instanceof AmazonS3Exception refused)) return Driver.broken(thrown);
    return new Failure(
        String.valueOf(refused.getErrorCode()), String.valueOf(refused.getMessage()), refused.getStatusCode());
  }

  private AmazonS3 client(Call call) {
    return clients.of(call.target());
  }

  private Object createBucket(Call call) {
    client(call).createBucket(call.bucket());
    return Driver.DONE;
  }

  private Object deleteBucket(Call call) {
    client(call).deleteBucket(call.bucket());
    return Driver.DONE;
  }

  private Object put(Call call) {
    var request = new PutObjectRequest(call.bucket(), call.key(), call.file().toFile());
    return Stored.named(client(call).putObject(request.withMetadata(metadata(call))).getETag());
  }

  static ObjectMetadata metadata(Call call) {
    var metadata = new ObjectMetadata();
    if (call.text("contentType") != null) metadata.setContentType(call.text("contentType"));
    metadata.setUserMetadata(call.pairs("metadata"));
    return metadata;
  }

  private Object get(Call call) throws IOException {
    var request = new GetObjectRequest(call.bucket(), call.key());
    if (call.text("range") != null) setRange(request, call.text("range"));
    // The body fails at its end where its MD5 is not what the ETag says.
    try (var object = client(call).getObject(request)) {
      Files.copy(object.getObjectContent(), call.file(), StandardCopyOption.REPLACE_EXISTING);
      return stored(object.getObjectMetadata());
    }
  }

  private static void setRange(GetObjectRequest request, String range) {
    var match = RANGE.matcher(range);
    if (!match.matches()) throw new IllegalArgumentException("this SDK takes ranges with two ends: " + range);
    request.setRange(Long.parseLong(match.group(1)), Long.parseLong(match.group(2)));
  }

  private Object head(Call call) {
    return stored(client(call).getObjectMetadata(call.bucket(), call.key()));
  }

  private static Stored stored(ObjectMetadata found) {
    return new Stored(
        null, found.getETag(), found.getContentLength(), found.getContentType(), found.getUserMetadata());
  }

  private Object list(Call call) {
    var request =
        new ListObjectsV2Request()
            .withBucketName(call.bucket())
            .withPrefix(call.text("prefix"))
            .withMaxKeys((int) call.number("pageSize"));
    var count = 0;
    var objects = new ArrayList<Stored>();
    ListObjectsV2Result page;
    do {
      page = client(call).listObjectsV2(request);
      count++;
      for (var found : page.getObjectSummaries()) {
        objects.add(new Stored(found.getKey(), found.getETag(), found.getSize(), null, null));
      }
      request.setContinuationToken(page.getNextContinuationToken());
    } while (page.isTruncated());
    return new Listing(count, objects);
  }

  private Object copy(Call call) {
    var answer = client(call).copyObject(call.bucket(), call.key(), call.text("toBucket"), call.text("toKey"));
    return Stored.named(answer.getETag());
  }

  private Object delete(Call call) {
    if (call.key() != null) {
      client(call).deleteObject(call.bucket(), call.key());
      return Driver.DONE;
    }
    var keys = call.texts("keys").toArray(String[]::new);
    var answer = client(call).deleteObjects(new DeleteObjectsRequest(call.bucket()).withKeys(keys));
    // A key that was not deleted makes the call throw.
    return Map.of("deleted", answer.getDeletedObjects().size(), "errors", 0);
  }
}
