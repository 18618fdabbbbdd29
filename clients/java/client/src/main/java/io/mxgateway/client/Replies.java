package io.mxgateway.client;

import com.google.protobuf.Message;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.OpenSessionReply;
import io.mxgateway.proto.ProtocolStatus;
import io.mxgateway.proto.ProtocolStatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.Predicate;

/** What a reply says of its call. */
final class Replies {
  private static final String CODE_PREFIX = "PROTOCOL_STATUS_CODE_";

  private Replies() {}

  /**
   * Fails when the gateway says that it could not do what was asked. A failure of MXAccess passes.
   */
  static void checkProtocol(
      Message reply, ProtocolStatus status, String what, String correlationId) {
    ProtocolStatusCode code = status.getCode();
    if (code == ProtocolStatusCode.PROTOCOL_STATUS_CODE_OK
        || code == ProtocolStatusCode.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE) {
      return;
    }
    ErrorKind kind = RpcErrors.kindOfReason(status.getReason());
    if (kind == null) {
      kind = Tables.KIND_BY_PROTOCOL_STATUS.get(code);
    }
    if (kind == null) {
      throw new Failure(
              ErrorKind.PROTOCOL,
              what
                  + ": the reply has no usable protocol status (code "
                  + status.getCodeValue()
                  + ")")
          .correlationId(correlationId)
          .reply(reply, status)
          .exception();
    }
    String text = status.getMessage();
    if (text.isEmpty()) {
      text = code.name().replaceFirst(CODE_PREFIX, "").toLowerCase(Locale.ROOT).replace('_', ' ');
    }
    Failure failure =
        new Failure(kind, what + ": " + text)
            .reason(status.getReason())
            .correlationId(correlationId)
            .reply(reply, status)
            .retryAfter(status.getRetryAfter());
    if (reply instanceof MxCommandReply command && kind == ErrorKind.COMMAND) {
      failure.outcome(
          command.hasHresult() ? command.getHresult() : null, command.getStatusesList());
    }
    throw failure.exception();
  }

  /** Fails when MXAccess failed: by protocol status, a negative HRESULT, or a failed status. */
  static void checkMxAccess(MxCommandReply reply, String what) {
    List<String> failed = MxStatuses.failures(reply.getStatusesList());
    boolean isByStatus =
        reply.getProtocolStatus().getCode()
            == ProtocolStatusCode.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE;
    if (!isByStatus && failed.isEmpty() && reply.getHresult() >= 0) {
      return;
    }
    List<String> parts = new ArrayList<>(List.of(what + " failed in MXAccess"));
    String text = reply.getDiagnosticMessage();
    if (text.isEmpty()) {
      text = reply.getProtocolStatus().getMessage();
    }
    if (reply.hasHresult()) {
      String number = String.format("0x%08X", reply.getHresult());
      if (reply.getHresult() != 0) {
        parts.add("HRESULT " + number);
      }
      if (text.equals(number)) {
        text = "";
      }
      text = Tables.HRESULT_MEANINGS.getOrDefault(what + " " + reply.getHresult(), text);
    }
    parts.addAll(failed);
    String message = String.join(", ", parts);
    throw new Failure(ErrorKind.MXACCESS, text.isEmpty() ? message : message + ": " + text)
        .outcome(reply.hasHresult() ? reply.getHresult() : null, reply.getStatusesList())
        .reply(reply, reply.getProtocolStatus())
        .correlationId(reply.getCorrelationId())
        .exception();
  }

  /** The payload that a reply must have. */
  static <R> R payload(
      MxCommandReply reply,
      String arm,
      Predicate<MxCommandReply> has,
      Function<MxCommandReply, R> get) {
    if (has.test(reply)) {
      return get.apply(reply);
    }
    throw protocol(
        reply, "the reply carries no " + arm + " payload although the command succeeded");
  }

  static <R> List<R> counted(MxCommandReply reply, String what, List<R> results, int expected) {
    if (results.size() == expected) {
      return results;
    }
    throw protocol(
        reply,
        what + ": the reply has " + results.size() + " results for " + expected + " entries");
  }

  private static MxGatewayException protocol(MxCommandReply reply, String text) {
    return new Failure(ErrorKind.PROTOCOL, text)
        .reply(reply, reply.getProtocolStatus())
        .correlationId(reply.getCorrelationId())
        .exception();
  }

  static void checkVersions(OpenSessionReply reply) {
    long newest = Integer.toUnsignedLong(reply.getGatewayProtocolVersion());
    long oldest = Integer.toUnsignedLong(reply.getMinimumClientProtocolVersion());
    if (oldest == 0) {
      oldest = newest;
    }
    int own = Contract.GATEWAY_PROTOCOL_VERSION;
    if (oldest <= own && own <= newest) {
      return;
    }
    String spoken =
        oldest == newest ? "" + newest : newest + " and serves clients from " + oldest + " on";
    throw new Failure(
            ErrorKind.PROTOCOL,
            "the gateway speaks protocol version "
                + spoken
                + ", this client "
                + own
                + "; install the client version that belongs to the gateway")
        .reply(reply, reply.getProtocolStatus())
        .exception();
  }
}
