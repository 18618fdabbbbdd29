package io.mxgateway.cli;

import com.google.gson.JsonArray;
import com.google.protobuf.Message;
import io.mxgateway.client.MxTimeoutException;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Takes messages until there are enough, the time is over, Ctrl-C, or the end: all ordinary ends.
 */
final class Follow {
  private static final int MAX_AGGREGATE = 10_000;

  private final Run run;
  private final String maximum;
  private final @Nullable Duration limit;
  private final long began = System.nanoTime();

  /** The time is --duration, or --timeout where that was given. */
  Follow(Run run, String maximum) {
    this.run = run;
    this.maximum = maximum;
    this.limit =
        run.given.has("--duration")
            ? run.given.time("--duration")
            : run.given.has("--timeout") ? run.given.time("--timeout") : null;
  }

  /** Waits for the next message of a stream, at most so long; null after its end. */
  interface Next<M> {
    @Nullable M next(@Nullable Duration limit);
  }

  private @Nullable Duration left() {
    return limit == null ? null : limit.minusNanos(System.nanoTime() - began);
  }

  /** What --json prints in the end; otherwise each is printed as it comes. */
  <M extends Message> JsonArray collect(Next<M> source, Function<M, String> text) {
    boolean isJson = run.given.has("--json");
    long most = run.given.has(maximum) ? run.given.whole(maximum) : Long.MAX_VALUE;
    if (isJson) {
      most = Math.min(most, MAX_AGGREGATE);
    }
    JsonArray collected = new JsonArray();
    for (long count = 0; count < most; count++) {
      M message;
      try {
        Duration left = left();
        if (left != null && (left.isNegative() || left.isZero())) {
          break;
        }
        message = source.next(left);
      } catch (MxTimeoutException over) {
        if (left() != null && java.util.Objects.requireNonNull(left()).toMillis() <= 1) {
          break;
        }
        throw over;
      } catch (CancellationException interrupted) {
        if (run.program.signal.isEmpty()) {
          throw interrupted;
        }
        Thread.interrupted();
        run.program.signal = run.program.isInBatch ? run.program.signal : "";
        break;
      }
      if (message == null) {
        break;
      }
      if (isJson) {
        collected.add(Documents.of(message));
      } else {
        run.line(message, text.apply(message));
      }
    }
    return collected;
  }
}
