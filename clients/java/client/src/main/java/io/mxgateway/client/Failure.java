package io.mxgateway.client;

import com.google.protobuf.Duration;
import com.google.protobuf.Message;
import io.grpc.Status;
import io.mxgateway.proto.MxStatusProxy;
import io.mxgateway.proto.ProtocolStatus;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What an exception tells, while it is put together. */
final class Failure {
  final ErrorKind kind;
  String message;
  String reason = "";
  String correlationId = "";
  Status.@Nullable Code code;
  boolean retryable;
  java.time.Duration retryAfter = java.time.Duration.ZERO;
  @Nullable Integer hresult;
  List<MxStatusProxy> statuses = List.of();
  @Nullable ProtocolStatus protocolStatus;
  @Nullable Message reply;
  @Nullable Throwable cause;

  Failure(ErrorKind kind, String message) {
    this.kind = kind;
    this.message = message;
    this.retryable = Tables.RETRYABLE.contains(kind);
  }

  Failure reason(String word) {
    reason = word;
    return this;
  }

  Failure correlationId(String id) {
    correlationId = id;
    return this;
  }

  Failure code(Status.Code status) {
    code = status;
    return this;
  }

  Failure retryable(boolean is) {
    retryable = is;
    return this;
  }

  Failure retryAfter(Duration asked) {
    retryAfter = java.time.Duration.ofSeconds(asked.getSeconds(), asked.getNanos());
    return this;
  }

  Failure reply(Message message, ProtocolStatus status) {
    reply = message;
    protocolStatus = status;
    return this;
  }

  Failure outcome(@Nullable Integer hresult, List<MxStatusProxy> statuses) {
    this.hresult = hresult;
    this.statuses = List.copyOf(statuses);
    return this;
  }

  Failure cause(Throwable thrown) {
    cause = thrown;
    return this;
  }

  MxGatewayException exception() {
    message = Redaction.redact(message);
    return kind.create(this);
  }

  static MxGatewayException of(ErrorKind kind, String message) {
    return new Failure(kind, message).exception();
  }
}
