package io.mxgateway.client;

/** The deadline was over. The MXAccess call may still be running, so the outcome is unknown. */
public final class MxTimeoutException extends MxGatewayException {
  MxTimeoutException(Failure failure) {
    super(failure);
  }
}
