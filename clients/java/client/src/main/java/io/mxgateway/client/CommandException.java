package io.mxgateway.client;

/** A command ended without success. */
public non-sealed class CommandException extends MxGatewayException {
  CommandException(Failure failure) {
    super(failure);
  }
}
