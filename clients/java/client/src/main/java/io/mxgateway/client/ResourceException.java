package io.mxgateway.client;

/** A limit of the gateway was met; try again later. */
public final class ResourceException extends TransportException {
  ResourceException(Failure failure) {
    super(failure);
  }
}
