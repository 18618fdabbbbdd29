package io.mxgateway.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What a call was, for its exception: maps what gRPC gives to this library's terms. */
record RpcErrors(
    String what,
    String correlationId,
    boolean isGalaxy,
    String key,
    boolean isPlaintext,
    boolean isConnecting) {
  private static final String NO_KEY = "no key was sent; give apiKey (--api-key-env)";
  private static final String KEY_REFUSED =
      "a key was sent, but this gateway does not know it, or it was revoked or is not valid now";
  private static final int MAX_CAUSES = 8;

  /** What a text of gRPC's means: a reason where the gateway sent none, and what to do. */
  private record Hint(String sign, String reason, String remedy) {}

  private static final String WRONG_NAME =
      "the certificate is for another name; use that name or server_name_override";
  private static final String NOT_TRUSTED =
      "the CA file (caFile, --ca-file) has to be the authority that signed this gateway's certificate";
  private static final List<Hint> HINTS =
      List.of(
          new Hint(
              "certificateexpired",
              "CERTIFICATE_EXPIRED",
              "the gateway's certificate has ended, or this machine's clock is wrong"),
          new Hint(
              "validity check failed",
              "CERTIFICATE_EXPIRED",
              "the gateway's certificate has ended, or this machine's clock is wrong"),
          new Hint(
              "unable to find valid certification path", "CERTIFICATE_NOT_TRUSTED", NOT_TRUSTED),
          new Hint("path does not chain", "CERTIFICATE_NOT_TRUSTED", NOT_TRUSTED),
          new Hint("signature check failed", "CERTIFICATE_NOT_TRUSTED", NOT_TRUSTED),
          new Hint("no name matching", "CERTIFICATE_FOR_ANOTHER_NAME", WRONG_NAME),
          new Hint("no subject alternative", "CERTIFICATE_FOR_ANOTHER_NAME", WRONG_NAME),
          new Hint(
              "certificate_required",
              "CLIENT_CERTIFICATE_REQUIRED",
              "this gateway wants a client certificate (clientCertificate, --client-cert, --client-key)"),
          new Hint(
              "not an ssl/tls record",
              "NOT_TLS",
              "the port does not speak TLS; ask for plaintext by name (plaintext(), --plaintext)"),
          new Hint(
              "exceeds maximum",
              "MESSAGE_TOO_LARGE",
              "the limit of a message: ask for less at once, or raise max_message_bytes here and in the gateway"),
          new Hint(
              "larger than max",
              "MESSAGE_TOO_LARGE",
              "the limit of a message: ask for less at once, or raise max_message_bytes here and in the gateway"),
          new Hint(
              "connection refused",
              "CONNECTION_REFUSED",
              "nothing listens there; is the gateway running, and is this its port?"));
  private static final Hint MAYBE_TLS =
      new Hint(
          "",
          "TLS_EXPECTED",
          "the port may speak TLS: leave out plaintext (--plaintext) and give ca_file (--ca-file)");

  static RpcErrors of(String what, String correlationId) {
    return new RpcErrors(what, correlationId, false, "", false, false);
  }

  RpcErrors galaxy() {
    return new RpcErrors(what, correlationId, true, key, isPlaintext, isConnecting);
  }

  RpcErrors withKey(String sent) {
    return new RpcErrors(what, correlationId, isGalaxy, sent, isPlaintext, isConnecting);
  }

  MxGatewayException map(Status status, @Nullable Metadata trailers) {
    String details = Redaction.redact(details(status), key);
    ErrorInfo info = null;
    RetryInfo retry = null;
    com.google.rpc.Status rich =
        StatusProto.fromStatusAndTrailers(status, trailers == null ? new Metadata() : trailers);
    for (Any detail : rich.getDetailsList()) {
      try {
        if (detail.is(ErrorInfo.class)) {
          info = detail.unpack(ErrorInfo.class);
        } else if (detail.is(RetryInfo.class)) {
          retry = detail.unpack(RetryInfo.class);
        }
      } catch (InvalidProtocolBufferException broken) {
        // A detail that cannot be read says nothing; the status itself does.
        details += " (a detail of the status cannot be read)";
      }
    }
    String reason = info == null ? "" : info.getReason();
    Status.Code code = status.getCode();
    Hint hint = hint(details);
    if (hint == null && isConnecting && isPlaintext && code == Status.Code.UNAVAILABLE) {
      hint = MAYBE_TLS;
    }
    Failure failure =
        new Failure(kindOf(code, reason, isGalaxy), text(code, details, hint))
            .reason(reason.isEmpty() && hint != null ? hint.reason : reason)
            .code(code)
            .correlationId(correlationId)
            .cause(new SafeCause(code, details));
    if (retry != null) {
      failure.retryAfter(retry.getRetryDelay());
    }
    if (hint != null
        && code == Status.Code.RESOURCE_EXHAUSTED
        && hint.reason.equals("MESSAGE_TOO_LARGE")) {
      // Too large once is too large always.
      failure.retryable(false);
    }
    return failure.exception();
  }

  private String text(Status.Code code, String details, @Nullable Hint hint) {
    StringBuilder text = new StringBuilder(what).append(": ").append(code);
    if (hint != null) {
      text.append(" (").append(hint.remedy).append(')');
    }
    if (!details.isEmpty()) {
      text.append(": ").append(details);
    }
    if (code == Status.Code.UNAUTHENTICATED) {
      text.append(" (").append(key.isEmpty() ? NO_KEY : KEY_REFUSED).append(')');
    }
    return text.toString();
  }

  /** The server's text, or for a connection that failed the texts of its causes. */
  private static String details(Status status) {
    Set<String> parts = new LinkedHashSet<>();
    if (status.getDescription() != null) {
      // Below the first line gRPC describes its own pipeline.
      parts.add(
          status.getCause() == null
              ? status.getDescription()
              : status.getDescription().lines().findFirst().orElse(""));
    }
    Throwable cause = status.getCause();
    for (int depth = 0; cause != null && depth < MAX_CAUSES; depth++, cause = cause.getCause()) {
      String name = cause.getClass().getSimpleName();
      String message = cause.getMessage() == null ? "" : cause.getMessage();
      parts.add(name.startsWith("Certificate") ? name + ": " + message : message);
    }
    parts.removeIf(String::isBlank);
    return String.join(": ", parts);
  }

  private static @Nullable Hint hint(String details) {
    String lower = details.toLowerCase(Locale.ROOT);
    for (Hint each : HINTS) {
      if (lower.contains(each.sign)) {
        return each;
      }
    }
    return null;
  }

  /** The kind that the gateway's word names; null when it leaves the choice to the status. */
  static @Nullable ErrorKind kindOfReason(String reason) {
    return reason.startsWith(Tables.WORKER_REASON_PREFIX)
        ? ErrorKind.WORKER
        : Tables.KIND_BY_REASON.get(reason);
  }

  private static ErrorKind kindOf(Status.Code code, String reason, boolean isGalaxy) {
    ErrorKind kind = kindOfReason(reason);
    if (kind == null) {
      kind = Tables.KIND_BY_CODE.get(code);
    }
    if (kind == null) {
      kind = (isGalaxy ? Tables.KIND_OF_GALAXY : Tables.KIND_OF_GATEWAY).get(code);
    }
    return kind == null ? ErrorKind.TRANSPORT : kind;
  }

  /** What gRPC said, without secrets: its own exceptions may hold any text of a server. */
  private static final class SafeCause extends RuntimeException {
    SafeCause(Status.Code code, String text) {
      super(code + (text.isEmpty() ? "" : ": " + text), null, false, false);
    }
  }
}
