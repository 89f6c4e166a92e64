package s3eg.interop;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * An SDK on a leash: calls come as JSON lines on standard input, answers go as JSON lines to standard output.
 * ../README.md of this project's folder describes the calls, which all drivers share.
 */
final class Driver {
  /** Carries one call out and gives the answer's result. */
  interface Command {
    Object run(Call call) throws Exception;
  }

  /** What an answer or a listing tells of an object. */
  @JsonInclude(JsonInclude.Include.NON_EMPTY)
  record Stored(String key, String etag, long lengthBytes, String contentType, Map<String, String> metadata) {
    static Stored named(String etag) {
      return new Stored(null, etag, 0, null, null);
    }
  }

  /** All pages of a listing. */
  record Listing(int pages, List<Stored> objects) {}

  /** A request that was signed for later, with the headers that have to be sent with it. */
  record Presigned(String url, String method, Map<String, String> headers) {}

  /** What the SDK made of a refused or broken call; `status` is 0 where there was no answer. */
  record Failure(String code, String message, int status) {}

  static final Map<String, String> DONE = Map.of();

  private static final ObjectMapper JSON = new ObjectMapper();

  private Driver() {}

  /** Answers calls until standard input ends. */
  static void serve(Map<String, Command> commands, Function<Throwable, Failure> failureOf) throws IOException {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var output = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (var line = input.readLine(); line != null; line = input.readLine()) {
      var call = new Call(JSON.readTree(line));
      output.println(JSON.writeValueAsString(answer(commands, failureOf, call)));
    }
    System.exit(0);
  }

  private static Map<String, Object> answer(
      Map<String, Command> commands, Function<Throwable, Failure> failureOf, Call call) {
    var id = call.number("id");
    try {
      var command = commands.get(call.text("command"));
      if (command == null) throw new IllegalArgumentException("no such command: " + call.text("command"));
      return Map.of("id", id, "result", command.run(call));
    } catch (Exception | Error broken) {
      return Map.of("id", id, "error", failureOf.apply(broken));
    }
  }

  /** A failure that no server reported. */
  static Failure broken(Throwable cause) {
    return new Failure("Broken", String.valueOf(cause), 0);
  }
}
