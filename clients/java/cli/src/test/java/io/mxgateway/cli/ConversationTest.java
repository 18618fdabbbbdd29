package io.mxgateway.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The program and the library with a gateway that answers, or does not. */
@Timeout(60)
class ConversationTest {
  private final ByteArrayOutputStream output = new ByteArrayOutputStream();
  private final ByteArrayOutputStream errors = new ByteArrayOutputStream();
  private FakeGateway gateway;
  private Program program;

  @BeforeEach
  void start() throws Exception {
    gateway = new FakeGateway();
    program =
        new Program(
            new BufferedReader(new StringReader("")),
            new PrintStream(output, true, StandardCharsets.UTF_8),
            new PrintStream(errors, true, StandardCharsets.UTF_8),
            name -> null);
  }

  @AfterEach
  void stop() {
    program.close();
    gateway.close();
  }

  private int run(String line) {
    return program.execute(BatchLine.split(line + " --plaintext --endpoint " + gateway.endpoint()));
  }

  private JsonObject document() {
    return JsonParser.parseString(output.toString(StandardCharsets.UTF_8)).getAsJsonObject();
  }

  /** Does what a signal does, as soon as a stream is open. */
  private void interruptWhenOpened() {
    Thread worker = Thread.currentThread();
    Thread thread =
        new Thread(
            () -> {
              gateway.opened.acquireUninterruptibly();
              program.signal = "INT";
              worker.interrupt();
            });
    thread.setDaemon(true);
    thread.start();
  }

  @Test
  void anInterruptedStreamPrintsItsDocumentAndEndsItsCall() throws Exception {
    interruptWhenOpened();
    assertEquals(0, run("stream-events --session-id s --json"), errors::toString);
    assertEquals("s", document().get("sessionId").getAsString());
    assertTrue(gateway.cancelled.tryAcquire(20, TimeUnit.SECONDS));
  }

  @Test
  void aSequenceBeyond63BitsIsUnsignedInTextAndJson() {
    assertEquals(0, run("stream-events --session-id s --max-events 1"));
    assertTrue(output.toString(StandardCharsets.UTF_8).startsWith("18446744073709551615  "));
    output.reset();
    assertEquals(0, run("stream-events --session-id s --max-events 1 --json"));
    JsonObject event = document().getAsJsonArray("events").get(0).getAsJsonObject();
    assertEquals("18446744073709551615", event.get("workerSequence").getAsString());
  }

  @Test
  void theTimeOfACommandAndOfClosingIsBounded() {
    gateway.holdsClose = true;
    assertEquals(1, run("close-session --session-id s --shutdown-timeout 0.1"));
    assertTrue(errors.toString(StandardCharsets.UTF_8).contains("DEADLINE_EXCEEDED"));
    errors.reset();
    gateway.holdsCommands = true;
    assertEquals(1, run("ping --session-id s --timeout 0.2"));
    assertEquals(1, errors.toString(StandardCharsets.UTF_8).lines().count());
  }

  @Test
  void benchReadsHaveTheKeysOfTheSchema() {
    assertEquals(
        0, run("bench-read-bulk --duration-seconds 0.1 --warmup-seconds 0.01"), errors::toString);
    JsonObject figures = document();
    assertEquals("java", figures.get("language").getAsString());
    assertEquals(
        figures.get("totalReadResults").getAsLong(), figures.get("cachedReadResults").getAsLong());
    assertEquals(0, figures.getAsJsonObject("failureLatencyMs").get("max").getAsDouble());
    assertEquals(
        List.of(
            "language",
            "durationMs",
            "totalCalls",
            "successfulCalls",
            "failedCalls",
            "totalReadResults",
            "cachedReadResults",
            "callsPerSecond",
            "latencyMs",
            "failureLatencyMs"),
        List.copyOf(figures.keySet()));
  }

  @Test
  void aBenchEndsAtOnceInBothPhases() {
    for (String phase : List.of("--warmup-seconds 60", "--warmup-seconds 0.01")) {
      gateway.opened.drainPermits();
      interruptWhenOpened();
      long began = System.nanoTime();
      assertEquals(130, run("bench-stream-events --duration-seconds 60 " + phase));
      assertTrue(System.nanoTime() - began < TimeUnit.SECONDS.toNanos(30));
      program.signal = "";
      Thread.interrupted();
    }
  }
}
