package io.mxgateway.cli;

import com.google.gson.JsonObject;
import io.mxgateway.client.EventBatch;
import io.mxgateway.client.EventStream;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxGatewayException;
import io.mxgateway.client.Session;
import io.mxgateway.client.SessionOptions;
import io.mxgateway.proto.MxEvent;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.DoubleStream;

/** Counts the events of some sessions for some time. */
final class StreamBench {
  private static final int MAX_SAMPLES = 2_000_000;

  private final BlockingQueue<RuntimeException> failures = new LinkedBlockingQueue<>();
  private final DoubleStream.Builder latencies = DoubleStream.builder();
  private final List<Session> sessions = new ArrayList<>();
  private final List<EventStream> streams = new ArrayList<>();
  private final List<Thread> readers = new ArrayList<>();
  private int samples;
  private boolean isCounting;
  private long events;
  private long lost;

  private StreamBench() {}

  static void run(Run run, GatewayClient client) {
    StreamBench bench = new StreamBench();
    try {
      bench.measure(run, client);
    } finally {
      Run.calmly(bench::close);
    }
  }

  private void measure(Run run, GatewayClient client) {
    List<String> tags = BenchTags.of(run.given);
    Duration stagger = Duration.ofMillis(run.given.whole("--session-start-stagger-ms"));
    long count = run.given.whole("--session-count");
    for (int number = 1; number <= count; number++) {
      if (number > 1) {
        pause(stagger);
      }
      Session session =
          client.openSession(new SessionOptions().name("bench-stream-events " + number));
      sessions.add(session);
      EventStream stream = session.events();
      streams.add(stream);
      Thread reader = new Thread(() -> read(stream), "reader " + number);
      reader.setDaemon(true);
      reader.start();
      readers.add(reader);
      BenchTags.subscribe(session, "bench-stream-events", tags);
    }
    pause(run.given.time("--warmup-seconds"));
    long began = count(true);
    pause(run.given.time("--duration-seconds"));
    long elapsed = count(false) - began;
    JsonObject document = new JsonObject();
    document.addProperty("language", "java");
    document.addProperty("durationMs", BenchTags.milliseconds(elapsed));
    document.addProperty("sessionCount", sessions.size());
    document.addProperty("tagsPerSession", tags.size());
    document.addProperty("totalEvents", events);
    document.addProperty("eventsPerSecond", BenchTags.rate(events, elapsed));
    document.addProperty("lostEvents", lost);
    document.add("latencyMs", Summary.of(latencies.build().toArray()).toJson());
    run.program.output.println(Documents.indented(document));
    if (events == 0) {
      throw new FailedCommand("no tag changed; is " + tags.get(0) + " a tag? (--tag-prefix)");
    }
  }

  private synchronized long count(boolean on) {
    isCounting = on;
    return System.nanoTime();
  }

  private void read(EventStream stream) {
    try {
      EventBatch batch;
      while ((batch = stream.nextBatch()) != null) {
        take(batch, Instant.now());
      }
    } catch (MxGatewayException failure) {
      failures.add(new FailedCommand("an event stream ended: " + failure.getMessage()));
    }
  }

  private synchronized void take(EventBatch batch, Instant now) {
    if (!isCounting) {
      return;
    }
    for (MxEvent event : batch.events()) {
      if (event.hasReplayGap()) {
        lost += event.getReplayGap().getDroppedEvents();
        continue;
      }
      events++;
      if (samples < MAX_SAMPLES) {
        samples++;
        latencies.add(
            Duration.between(Times.instant(event.getWorkerTimestamp()), now).toNanos() / 1e6);
      }
    }
  }

  /** Lets time pass, unless a reader fails or the run is interrupted. */
  private void pause(Duration length) {
    try {
      RuntimeException failure = failures.poll(length.toNanos(), TimeUnit.NANOSECONDS);
      if (failure != null) {
        throw failure;
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw (CancellationException) new CancellationException().initCause(interrupted);
    }
  }

  private void close() {
    streams.forEach(EventStream::close);
    for (Thread reader : readers) {
      try {
        reader.join();
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    RuntimeException first = null;
    for (Session session : sessions) {
      try {
        session.close();
      } catch (MxGatewayException failure) {
        first = first == null ? failure : first;
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
