package io.mxgateway.client;

import io.mxgateway.proto.BackpressurePolicy;
import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.CloseSessionRequest;
import io.mxgateway.proto.MxCommand;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxCommandRequest;
import io.mxgateway.proto.OpenSessionReply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What all views of a session share. */
final class SessionCore {
  final Connection connection;
  final OpenSessionReply opened;
  final BackpressurePolicy policy;
  private final @Nullable CommandStream commands;
  private final Set<Subscription> subscriptions = new HashSet<>();
  private @Nullable CallFuture<CloseSessionReply> closing;

  SessionCore(Connection connection, OpenSessionReply opened, BackpressurePolicy policy) {
    this.connection = connection;
    this.opened = opened;
    this.policy = policy;
    commands = has(Contract.CAPABILITY_COMMAND_STREAM) ? new CommandStream(connection, id()) : null;
  }

  String id() {
    return opened.getSessionId();
  }

  boolean has(String capability) {
    return opened.getCapabilitiesList().contains(capability);
  }

  /** How many entries one bulk command takes. */
  int maxBulk() {
    int limit = opened.getLimits().getMaxBulkItems();
    return limit > 0 ? limit : Contract.MAX_BULK_ITEMS;
  }

  synchronized boolean isClosed() {
    return closing != null;
  }

  synchronized void add(Subscription subscription) {
    subscriptions.add(subscription);
  }

  synchronized void remove(Subscription subscription) {
    subscriptions.remove(subscription);
  }

  CallFuture<MxCommandReply> invoke(MxCommand command, CallOptions options) {
    return invokeRaw(command, options)
        .map(
            reply -> {
              Replies.checkMxAccess(reply, Commands.methodOf(command));
              return reply;
            });
  }

  CallFuture<MxCommandReply> invokeRaw(MxCommand command, CallOptions options) {
    String given = options.correlationId();
    String id = given == null || given.isEmpty() ? CorrelationIds.next() : given;
    String what = Commands.methodOf(command);
    if (connection.isClosed()) {
      return CallFuture.failed(connection.closedFailure(what));
    }
    boolean isRetried = connection.options.retry != null && Commands.isRepeatable(command);
    if (commands == null || isRetried || !commands.takes(id)) {
      return invoke(
          connection,
          MxCommandRequest.newBuilder()
              .setSessionId(id())
              .setClientCorrelationId(id)
              .setCommand(command)
              .build(),
          options.timeout());
    }
    Duration limit = options.timeout() == null ? connection.options.callTimeout : options.timeout();
    return commands
        .invoke(command, id, limit)
        .map(
            reply -> {
              Replies.checkProtocol(reply, reply.getProtocolStatus(), what, id);
              return reply;
            });
  }

  /** A command as a unary call. */
  static CallFuture<MxCommandReply> invoke(
      Connection connection, MxCommandRequest request, @Nullable Duration timeout) {
    String what = Commands.methodOf(request.getCommand());
    String id = request.getClientCorrelationId();
    return connection
        .unary(
            new Connection.Unary<>(
                Methods.INVOKE,
                RpcErrors.of(what, id),
                Commands.isRepeatable(request.getCommand()),
                timeout),
            request)
        .map(
            reply -> {
              Replies.checkProtocol(reply, reply.getProtocolStatus(), what, id);
              return reply;
            });
  }

  /**
   * Ends the session: one call, whose reply later and concurrent callers share. Cancelling what
   * this returns ends the wait only; a close that failed may be tried again.
   */
  CallFuture<CloseSessionReply> close() {
    CallFuture<CloseSessionReply> mine = new CallFuture<>();
    List<Subscription> open;
    synchronized (this) {
      if (closing != null) {
        return shared(closing);
      }
      closing = mine;
      open = new ArrayList<>(subscriptions);
    }
    open.forEach(Subscription::close);
    if (commands != null) {
      commands.close();
    }
    CloseSessionRequest request =
        CloseSessionRequest.newBuilder()
            .setSessionId(id())
            .setClientCorrelationId(CorrelationIds.next())
            .build();
    closeRaw(connection, request, connection.options.shutdownTimeout)
        .whenComplete(
            (reply, failure) -> {
              if (failure == null) {
                mine.complete(reply);
                return;
              }
              synchronized (this) {
                closing = null;
              }
              mine.completeExceptionally(failure);
            });
    return shared(mine);
  }

  private static <T> CallFuture<T> shared(CallFuture<T> outcome) {
    CallFuture<T> made = outcome.map(value -> value);
    made.onCancel(() -> {});
    return made;
  }

  static CallFuture<CloseSessionReply> closeRaw(
      Connection connection, CloseSessionRequest request, @Nullable Duration timeout) {
    String id = request.getClientCorrelationId();
    return connection
        .unary(
            new Connection.Unary<>(
                Methods.CLOSE_SESSION,
                RpcErrors.of("CloseSession", id),
                // The gateway answers a second close with the last known state.
                true,
                timeout),
            request)
        .map(
            reply -> {
              Replies.checkProtocol(reply, reply.getProtocolStatus(), "CloseSession", id);
              return reply;
            });
  }
}
