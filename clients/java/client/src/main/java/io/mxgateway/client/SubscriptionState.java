package io.mxgateway.client;

/** Where a subscription stands. */
public enum SubscriptionState {
  /** The tags are not all subscribed yet. */
  STARTING,
  /** Values come, and the stream was not interrupted so far. */
  CONNECTED,
  /** The stream is interrupted and tried again. Values may be out of date. */
  RECONNECTING,
  /** Connected again; what was missed is replayed, or was read again and is marked. */
  RECOVERED,
  /** It was closed, or it failed for good, which next tells. */
  CLOSED
}
