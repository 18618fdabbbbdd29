package io.mxgateway.client;

/** The key may not do this. */
public final class AuthorizationException extends MxGatewayException {
  AuthorizationException(Failure failure) {
    super(failure);
  }
}
