package io.mxgateway.cli;

import com.google.gson.JsonObject;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxGatewayException;
import io.mxgateway.client.Session;
import io.mxgateway.client.SessionOptions;
import io.mxgateway.proto.BulkReadResult;
import java.time.Duration;
import java.util.List;
import java.util.stream.DoubleStream;

/** Calls read_bulk one after the other for some time; an interrupt ends it at once. */
final class ReadBench {
  private final DoubleStream.Builder successes = DoubleStream.builder();
  private final DoubleStream.Builder failures = DoubleStream.builder();
  private int succeeded;
  private int failed;
  private long results;
  private long cached;
  private long unreadable;
  private long elapsed;
  private String lastError = "";

  private ReadBench() {}

  static void run(Run run, GatewayClient client) {
    List<String> tags = BenchTags.of(run.given);
    Session session = client.openSession(new SessionOptions().name("bench-read-bulk"));
    try {
      int server = BenchTags.subscribe(session, "bench-read-bulk", tags);
      Duration limit = Duration.ofMillis(run.given.whole("--timeout-ms"));
      new ReadBench().loop(session, server, tags, limit, run.given.time("--warmup-seconds"));
      ReadBench figures = new ReadBench();
      figures.loop(session, server, tags, limit, run.given.time("--duration-seconds"));
      run.program.output.println(Documents.indented(figures.document()));
      figures.judge(tags);
    } finally {
      Run.calmly(session::close);
    }
  }

  private void loop(
      Session session, int server, List<String> tags, Duration limit, Duration length) {
    long began = System.nanoTime();
    while (System.nanoTime() - began < length.toNanos()) {
      long started = System.nanoTime();
      try {
        List<BulkReadResult> found = session.readBulk(server, tags, limit);
        successes.add((System.nanoTime() - started) / 1e6);
        succeeded++;
        results += found.size();
        for (BulkReadResult each : found) {
          cached += each.getWasCached() ? 1 : 0;
          unreadable += each.getWasSuccessful() ? 0 : 1;
        }
      } catch (MxGatewayException failure) {
        failures.add((System.nanoTime() - started) / 1e6);
        failed++;
        lastError = String.valueOf(failure.getMessage());
      }
    }
    elapsed = System.nanoTime() - began;
  }

  private JsonObject document() {
    JsonObject document = new JsonObject();
    document.addProperty("language", "java");
    document.addProperty("durationMs", BenchTags.milliseconds(elapsed));
    document.addProperty("totalCalls", succeeded + failed);
    document.addProperty("successfulCalls", succeeded);
    document.addProperty("failedCalls", failed);
    document.addProperty("totalReadResults", results);
    document.addProperty("cachedReadResults", cached);
    document.addProperty("callsPerSecond", BenchTags.rate(succeeded + failed, elapsed));
    // Failures have a summary of their own: fast or slow, they say nothing of the calls that work.
    document.add("latencyMs", Summary.of(successes.build().toArray()).toJson());
    document.add("failureLatencyMs", Summary.of(failures.build().toArray()).toJson());
    return document;
  }

  private void judge(List<String> tags) {
    if (succeeded == 0) {
      throw new FailedCommand("no call succeeded: " + lastError);
    }
    if (unreadable > 0) {
      throw new FailedCommand(
          unreadable
              + " of "
              + results
              + " results were failures; is "
              + tags.get(0)
              + " a tag? (--tag-prefix)");
    }
    if (cached != results) {
      throw new FailedCommand(
          (results - cached)
              + " of "
              + results
              + " results were not cached, so they measure the plant: give the tags time for their"
              + " first value (--warmup-seconds)");
    }
  }
}
