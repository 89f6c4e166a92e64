package s3eg.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import s3eg.interop.Driver.Command;
import s3eg.interop.Driver.Stored;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.ObjectAttributes;
import software.amazon.awssdk.services.s3.model.Tag;

/** What is asked beside the bytes: attributes, versions, tags, and uploads that are not complete. */
final class SdkV2Details {
  /** An entry of a listing of versions. */
  record Version(String key, String versionId, boolean isLatest, boolean isMarker, String etag, long lengthBytes) {}

  /** An upload that is not complete. */
  record Upload(String key, String uploadId) {}

  /** A part that was uploaded. */
  record Part(int partNumber, long lengthBytes, String etag) {}

  private final SdkV2Clients clients;

  SdkV2Details(SdkV2Clients clients) {
    this.clients = clients;
  }

  Map<String, Command> commands() {
    return Map.of(
        "attributes", this::attributes,
        "versioning", this::enableVersioning,
        "versions", this::versions,
        "tags", this::tags,
        "begin", this::begin,
        "part", this::part,
        "uploads", this::uploads,
        "parts", this::parts,
        "abort", this::abort);
  }

  private S3Client client(Call call) {
    return clients.of(call.target());
  }

  private Object attributes(Call call) {
    var all = ObjectAttributes.knownValues();
    var got =
        client(call)
            .getObjectAttributes(request -> request.bucket(call.bucket()).key(call.key()).objectAttributes(all));
    var found = new HashMap<String, Object>();
    found.put("etag", got.eTag());
    found.put("lengthBytes", got.objectSize());
    if (got.objectParts() != null) found.put("parts", got.objectParts().totalPartsCount());
    if (got.checksum() != null) {
      found.put("checksumType", got.checksum().checksumTypeAsString());
      found.put("crc32", got.checksum().checksumCRC32());
    }
    return found;
  }

  private Object enableVersioning(Call call) {
    client(call)
        .putBucketVersioning(
            request ->
                request
                    .bucket(call.bucket())
                    .versioningConfiguration(settings -> settings.status(BucketVersioningStatus.ENABLED)));
    var got = client(call).getBucketVersioning(request -> request.bucket(call.bucket()));
    return Map.of("status", got.statusAsString());
  }

  private Object versions(Call call) {
    var size = (int) call.number("pageSize");
    var pages =
        client(call).listObjectVersionsPaginator(request -> request.bucket(call.bucket()).maxKeys(size));
    var count = 0;
    var found = new ArrayList<Version>();
    for (var page : pages) {
      count++;
      page.versions()
          .forEach(v -> found.add(new Version(v.key(), v.versionId(), v.isLatest(), false, v.eTag(), v.size())));
      page.deleteMarkers()
          .forEach(m -> found.add(new Version(m.key(), m.versionId(), m.isLatest(), true, null, 0)));
    }
    return Map.of("pages", count, "versions", found);
  }

  /** Replaces the tags of an object, and reads them. */
  private Object tags(Call call) {
    var wanted =
        call.pairs("tags").entrySet().stream()
            .map(pair -> Tag.builder().key(pair.getKey()).value(pair.getValue()).build())
            .toList();
    client(call)
        .putObjectTagging(
            request -> request.bucket(call.bucket()).key(call.key()).tagging(tags -> tags.tagSet(wanted)));
    var got = client(call).getObjectTagging(request -> request.bucket(call.bucket()).key(call.key()));
    var found = new HashMap<String, String>();
    got.tagSet().forEach(tag -> found.put(tag.key(), tag.value()));
    return Map.of("tags", found);
  }

  private Object begin(Call call) {
    var created = client(call).createMultipartUpload(request -> request.bucket(call.bucket()).key(call.key()));
    return new Upload(call.key(), created.uploadId());
  }

  private Object part(Call call) {
    var sent =
        client(call)
            .uploadPart(
                request ->
                    request
                        .bucket(call.bucket())
                        .key(call.key())
                        .uploadId(call.text("uploadId"))
                        .partNumber((int) call.number("partNumber")),
                RequestBody.fromFile(call.file()));
    return Stored.named(sent.eTag());
  }

  private Object uploads(Call call) {
    var size = (int) call.number("pageSize");
    var pages =
        client(call).listMultipartUploadsPaginator(request -> request.bucket(call.bucket()).maxUploads(size));
    var count = 0;
    var found = new ArrayList<Upload>();
    for (var page : pages) {
      count++;
      page.uploads().forEach(upload -> found.add(new Upload(upload.key(), upload.uploadId())));
    }
    return Map.of("pages", count, "uploads", found);
  }

  private Object parts(Call call) {
    var size = (int) call.number("pageSize");
    var pages =
        client(call)
            .listPartsPaginator(
                request ->
                    request
                        .bucket(call.bucket())
                        .key(call.key())
                        .uploadId(call.text("uploadId"))
                        .maxParts(size));
    var count = 0;
    var found = new ArrayList<Part>();
    for (var page : pages) {
      count++;
      page.parts().forEach(part -> found.add(new Part(part.partNumber(), part.size(), part.eTag())));
    }
    return Map.of("pages", count, "parts", found);
  }

  private Object abort(Call call) {
    client(call)
        .abortMultipartUpload(
            request -> request.bucket(call.bucket()).key(call.key()).uploadId(call.text("uploadId")));
    return Driver.DONE;
  }
}
