package io.mxgateway.client;

/** No API key, or one that the gateway does not accept. */
public final class AuthenticationException extends MxGatewayException {
  AuthenticationException(Failure failure) {
    super(failure);
  }
}
