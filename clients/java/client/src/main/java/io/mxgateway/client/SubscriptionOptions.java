package io.mxgateway.client;

import java.time.Duration;

/** How tags are watched. */
public final class SubscriptionOptions {
  int queueSize = 10_000;
  OverflowPolicy overflow = OverflowPolicy.DROP_OLDEST;
  boolean isSupervisory;
  boolean reconnects = true;
  Duration firstDelay = Duration.ofMillis(200);
  Duration longestDelay = Duration.ofSeconds(5);
  SessionOptions session = new SessionOptions();

  /** The defaults. */
  public SubscriptionOptions() {}

  /**
   * How many changes may wait for the consumer, 10,000 by default; never less than twice the tags.
   *
   * @param changes at least 1
   * @return this
   */
  public SubscriptionOptions queueSize(int changes) {
    if (changes < 1) {
      throw new IllegalArgumentException(
          "queue_size is " + changes + ", but at least one change has to fit");
    }
    queueSize = changes;
    return this;
  }

  /**
   * What happens when more wait.
   *
   * @param policy of the queue
   * @return this
   */
  public SubscriptionOptions overflow(OverflowPolicy policy) {
    overflow = policy;
    return this;
  }

  /**
   * Uses adviseSupervisory in place of advise: no user is needed.
   *
   * @return this
   */
  public SubscriptionOptions supervisory() {
    isSupervisory = true;
    return this;
  }

  /**
   * Ends the subscription with its error as soon as the stream breaks.
   *
   * @return this
   */
  public SubscriptionOptions withoutReconnect() {
    reconnects = false;
    return this;
  }

  /**
   * The second wait between attempts, which doubles from then on, and the longest; 0.2 s and 5 s by
   * default. The first attempt is made at once.
   *
   * @param first not negative
   * @param longest not shorter
   * @return this
   */
  public SubscriptionOptions reconnectDelays(Duration first, Duration longest) {
    if (first.isNegative() || longest.compareTo(first) < 0) {
      throw new IllegalArgumentException("delays need 0 <= first <= longest");
    }
    firstDelay = first;
    longestDelay = longest;
    return this;
  }

  /**
   * The session that {@link GatewayClient#subscribe} opens.
   *
   * @param options of the session
   * @return this
   */
  public SubscriptionOptions inSession(SessionOptions options) {
    session = options;
    return this;
  }
}
