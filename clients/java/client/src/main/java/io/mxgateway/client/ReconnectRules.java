package io.mxgateway.client;

import io.grpc.Status;
import io.mxgateway.proto.ProtocolStatusCode;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.function.DoubleSupplier;

/** Which failures a subscription waits out, and how long. */
final class ReconnectRules {
  private static final Set<Status.Code> MAYBE_LATER =
      EnumSet.of(
          Status.Code.INTERNAL, Status.Code.UNKNOWN, Status.Code.ABORTED, Status.Code.DATA_LOSS);

  private final Duration first;
  private final Duration longest;
  private final DoubleSupplier jitter;
  private int attempts;

  ReconnectRules(Duration first, Duration longest, DoubleSupplier jitter) {
    this.first = first;
    this.longest = longest;
    this.jitter = jitter;
  }

  static boolean saysSessionLost(MxGatewayException failure) {
    return failure instanceof SessionException || failure instanceof WorkerException;
  }

  /** Whether the same session may be there again later. */
  static boolean isTransient(MxGatewayException failure) {
    if (failure instanceof ResourceException) {
      return failure.isRetryable();
    }
    if (failure instanceof ConnectionException || failure instanceof MxTimeoutException) {
      return true;
    }
    // Nobody here cancels a command: the gateway did, because it stops.
    boolean isCancelled =
        failure
            .protocolStatus()
            .map(status -> status.getCode() == ProtocolStatusCode.PROTOCOL_STATUS_CODE_CANCELED)
            .orElse(false);
    return isCancelled || failure.code().map(MAYBE_LATER::contains).orElse(false);
  }

  /** The wait before the next attempt: none before the first. */
  Duration delay(MxGatewayException failure) {
    int attempt = attempts++;
    long wait = 0;
    if (attempt > 0) {
      long most = Math.min(first.toNanos() << Math.min(attempt, 10), longest.toNanos());
      wait = (long) (most * (0.5 + jitter.getAsDouble() / 2));
    }
    return Duration.ofNanos(Math.max(wait, failure.retryAfter().toNanos()));
  }

  void reset() {
    attempts = 0;
  }
}
