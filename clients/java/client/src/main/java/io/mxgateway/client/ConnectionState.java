package io.mxgateway.client;

/** Where the connection of a client stands. */
public enum ConnectionState {
  /** No call was made yet, or none for long. */
  IDLE,
  /** It is being made. */
  CONNECTING,
  /** It stands. */
  CONNECTED,
  /** It broke, or could not be made, and is tried again. */
  RECONNECTING,
  /** The client was closed. */
  CLOSED
}
