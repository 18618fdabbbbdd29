package io.mxgateway.client;

import java.util.function.Function;

/** What an exception is about; each kind has a class of its own. */
enum ErrorKind {
  TRANSPORT(TransportException::new),
  CONNECTION(ConnectionException::new),
  NOTFOUND(NotFoundException::new),
  RESOURCE(ResourceException::new),
  TIMEOUT(MxTimeoutException::new),
  AUTHENTICATION(AuthenticationException::new),
  AUTHORIZATION(AuthorizationException::new),
  PROTOCOL(ProtocolException::new),
  SESSION(SessionException::new),
  WORKER(WorkerException::new),
  OVERFLOW(OverflowException::new),
  COMMAND(CommandException::new),
  MXACCESS(MxAccessException::new);

  private final Function<Failure, MxGatewayException> make;

  ErrorKind(Function<Failure, MxGatewayException> make) {
    this.make = make;
  }

  MxGatewayException create(Failure failure) {
    return make.apply(failure);
  }
}
