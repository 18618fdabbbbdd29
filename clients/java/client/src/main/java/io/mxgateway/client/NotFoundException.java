package io.mxgateway.client;

/** What the request names does not exist, for example the root of a Galaxy browse. */
public final class NotFoundException extends TransportException {
  NotFoundException(Failure failure) {
    super(failure);
  }
}
