package s3eg.interop;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One line of input; each command reads the fields that it needs. */
record Call(JsonNode fields) {
  /** Which server is called, as whom, and with which style of address: one client serves all calls with the same. */
  record Target(String endpoint, String accessKeyId, String secretAccessKey, boolean pathStyle) {}

  Target target() {
    var access = fields.path("access");
    return new Target(
        access.path("endpoint").asText(),
        access.path("accessKeyId").asText(),
        access.path("secretAccessKey").asText(),
        !access.path("virtualHosted").asBoolean());
  }

  /** A field, or null where it is not given: the SDKs then send nothing. */
  String text(String name) {
    var field = fields.path(name);
    return field.isMissingNode() ? null : field.asText();
  }

  String bucket() {
    return text("bucket");
  }

  String key() {
    return text("key");
  }

  Path file() {
    return Path.of(text("file"));
  }

  long number(String name) {
    return fields.path(name).asLong();
  }

  List<String> texts(String name) {
    var found = new ArrayList<String>();
    fields.path(name).forEach(item -> found.add(item.asText()));
    return found;
  }

  List<Long> partLengths() {
    var found = new ArrayList<Long>();
    fields.path("partLengths").forEach(item -> found.add(item.asLong()));
    return found;
  }

  Map<String, String> pairs(String name) {
    var found = new LinkedHashMap<String, String>();
    fields.path(name).fields().forEachRemaining(pair -> found.put(pair.getKey(), pair.getValue().asText()));
    return found;
  }
}
