package io.mxgateway.client;

/** A local queue overflowed, and its policy is to stop. */
public final class OverflowException extends MxGatewayException {
  OverflowException(Failure failure) {
    super(failure);
  }
}
