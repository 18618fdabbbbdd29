package io.mxgateway.client;

/** A reply breaks the contract, or the versions do not fit. */
public final class ProtocolException extends MxGatewayException {
  ProtocolException(Failure failure) {
    super(failure);
  }
}
