package io.mxgateway.client;

import com.google.protobuf.Message;
import io.grpc.Metadata;
import io.grpc.Status;
import io.mxgateway.proto.MxStatusProxy;
import io.mxgateway.proto.ProtocolStatus;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Any failure of the gateway, its worker or MXAccess. No text of it holds an API key.
 *
 * <p>A cancellation by the caller is no member of this tree but {@link
 * java.util.concurrent.CancellationException}; what is refused before anything is sent is {@link
 * IllegalArgumentException}.
 */
public abstract sealed class MxGatewayException extends RuntimeException
    permits TransportException,
        MxTimeoutException,
        AuthenticationException,
        AuthorizationException,
        ProtocolException,
        SessionException,
        WorkerException,
        OverflowException,
        CommandException {
  private final transient Failure failure;

  MxGatewayException(Failure failure) {
    super(failure.message, failure.cause);
    this.failure = failure;
  }

  /**
   * The gateway's word for the cause, such as {@code SESSION_NOT_FOUND}.
   *
   * @return the word, empty when there is none
   */
  public String reason() {
    return failure.reason;
  }

  /**
   * Finds the call in the gateway's logs.
   *
   * @return the id, empty when unknown
   */
  public String correlationId() {
    return failure.correlationId;
  }

  /**
   * The gRPC status of a failed call.
   *
   * @return the code, empty when no call failed
   */
  public Optional<Status.Code> code() {
    return Optional.ofNullable(failure.code);
  }

  /**
   * Whether the same call may be sent again by hand. Never set for what may have changed the plant.
   *
   * @return true when it may
   */
  public boolean isRetryable() {
    return failure.retryable;
  }

  /**
   * How long the gateway asks to wait before that.
   *
   * @return the time, zero when it does not ask
   */
  public Duration retryAfter() {
    return failure.retryAfter;
  }

  /**
   * The HRESULT of the reply.
   *
   * @return the number, empty where there is none
   */
  public Optional<Integer> hresult() {
    return Optional.ofNullable(failure.hresult);
  }

  /**
   * The statuses of the reply.
   *
   * @return what MXAccess said, in its order
   */
  public List<MxStatusProxy> statuses() {
    return failure.statuses;
  }

  /**
   * The protocol status of the reply.
   *
   * @return the status, empty where there is none
   */
  public Optional<ProtocolStatus> protocolStatus() {
    return Optional.ofNullable(failure.protocolStatus);
  }

  /**
   * The message that says so: a reply, or an event.
   *
   * @return the message as it came, empty where there is none
   */
  public Optional<Message> rawReply() {
    return Optional.ofNullable(failure.reply);
  }

  Failure failure() {
    return failure;
  }

  /**
   * The exception for what gRPC gave, for callers of the generated stubs.
   *
   * @param status of the failed call
   * @param trailers of the call; empty ones where there are none
   * @param call names the call in the text
   * @param correlationId of the call; empty when it has none
   * @param isGalaxy whether it was a call of the Galaxy service
   * @return the exception of the kind that status and reason name
   */
  public static MxGatewayException fromStatus(
      Status status, Metadata trailers, String call, String correlationId, boolean isGalaxy) {
    return new RpcErrors(call, correlationId, isGalaxy, "", false, false).map(status, trailers);
  }
}
