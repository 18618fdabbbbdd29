package io.mxgateway.client;

/** The session's worker process is gone or has failed. Open a new session. */
public final class WorkerException extends MxGatewayException {
  WorkerException(Failure failure) {
    super(failure);
  }
}
