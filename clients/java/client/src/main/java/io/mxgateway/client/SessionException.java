package io.mxgateway.client;

/** The session does not exist, is not ready, or is closed. */
public final class SessionException extends MxGatewayException {
  SessionException(Failure failure) {
    super(failure);
  }
}
