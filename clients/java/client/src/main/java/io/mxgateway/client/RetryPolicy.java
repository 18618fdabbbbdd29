package io.mxgateway.client;

import java.time.Duration;

/**
 * When and how a failed call is repeated. Only calls that change nothing ever are: pings, reads of
 * state, read_bulk, Galaxy, closing a session; never a write, a subscription, a session's opening,
 * nor a call whose deadline was over.
 *
 * @param maxAttempts in all, the first included; at least 1
 * @param initialDelay before the second attempt; each further one doubles up to maxDelay. The true
 *     delay is drawn evenly between 0 and that, but is never shorter than what the gateway asks for
 * @param maxDelay the longest delay
 */
public record RetryPolicy(int maxAttempts, Duration initialDelay, Duration maxDelay) {
  /** Four attempts within 0.1 s to 5 s. */
  public static final RetryPolicy DEFAULT =
      new RetryPolicy(4, Duration.ofMillis(100), Duration.ofSeconds(5));

  /**
   * Checks the figures.
   *
   * @param maxAttempts in all, the first included; at least 1
   * @param initialDelay before the second attempt
   * @param maxDelay the longest delay
   */
  public RetryPolicy {
    if (maxAttempts < 1) {
      throw new IllegalArgumentException(
          "max_attempts is " + maxAttempts + ", but at least one attempt is needed");
    }
    if (initialDelay.isNegative() || maxDelay.compareTo(initialDelay) < 0) {
      throw new IllegalArgumentException("delays need 0 <= initial_delay <= max_delay");
    }
  }
}
