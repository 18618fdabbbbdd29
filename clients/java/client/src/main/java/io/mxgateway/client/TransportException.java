package io.mxgateway.client;

/** gRPC failed with a status that has no better kind. */
public non-sealed class TransportException extends MxGatewayException {
  TransportException(Failure failure) {
    super(failure);
  }
}
