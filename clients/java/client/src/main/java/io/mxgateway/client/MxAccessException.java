package io.mxgateway.client;

/** MXAccess itself failed the call; HRESULT and statuses are what COM answered. */
public final class MxAccessException extends CommandException {
  MxAccessException(Failure failure) {
    super(failure);
  }
}
