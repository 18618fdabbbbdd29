package io.mxgateway.client;

/** The gateway cannot be reached, or it is going away. */
public final class ConnectionException extends TransportException {
  ConnectionException(Failure failure) {
    super(failure);
  }
}
