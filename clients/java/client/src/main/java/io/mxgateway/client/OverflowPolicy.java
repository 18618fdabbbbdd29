package io.mxgateway.client;

/** What happens when a subscription's queue is full because its consumer is too slow. */
public enum OverflowPolicy {
  /** Drops the oldest change; lostBefore of the next one says how many were. */
  DROP_OLDEST,
  /** Drops the new change; lostBefore of the next one that is kept says how many were. */
  DROP_NEWEST,
  /** Drops nothing: the queue grows, and a warning is logged each time its length has doubled. */
  WARN,
  /** Ends the subscription with an OverflowException, after the changes that are in the queue. */
  DISCONNECT
}
