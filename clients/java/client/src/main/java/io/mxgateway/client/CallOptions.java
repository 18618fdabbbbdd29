package io.mxgateway.client;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What single calls may have of their own: {@code session.with(new CallOptions(limit,
 * null)).ping("x")}.
 *
 * @param timeout deadline of the call; null for the client's
 * @param correlationId sent with the call, to find it in the gateway's logs; null for a new one
 */
public record CallOptions(@Nullable Duration timeout, @Nullable String correlationId) {
  /** The client's deadline, and a new correlation id for each call. */
  public static final CallOptions DEFAULT = new CallOptions(null, null);

  /**
   * Checks the timeout.
   *
   * @param timeout deadline of the call; null for the client's
   * @param correlationId sent with the call; null for a new one
   */
  public CallOptions {
    if (timeout != null) {
      ConnectionOptions.positive("timeout", timeout);
    }
  }

  /**
   * Options with a deadline.
   *
   * @param timeout of the call
   * @return the options
   */
  public static CallOptions timeout(Duration timeout) {
    return new CallOptions(timeout, null);
  }
}
