package io.mxgateway.client;

import io.mxgateway.proto.AcknowledgeAlarmReply;
import io.mxgateway.proto.AcknowledgeAlarmRequest;
import io.mxgateway.proto.AcknowledgeAlarmsReply;
import io.mxgateway.proto.AcknowledgeAlarmsRequest;
import io.mxgateway.proto.ActiveAlarmSnapshot;
import io.mxgateway.proto.AlarmFeedMessage;
import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.CloseSessionRequest;
import io.mxgateway.proto.ListSessionsReply;
import io.mxgateway.proto.ListSessionsRequest;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxCommandRequest;
import io.mxgateway.proto.OpenSessionReply;
import io.mxgateway.proto.OpenSessionRequest;
import io.mxgateway.proto.QueryActiveAlarmsRequest;
import io.mxgateway.proto.StreamAlarmsRequest;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A connection to a gateway; sessions are opened on it. It serves any number of threads. Close it.
 */
public final class GatewayClient implements AutoCloseable {
  /** Version of this client. */
  public static final String VERSION = "0.1.0";

  private static final int AHEAD = 8;

  private final Connection connection;

  private GatewayClient(Connection connection) {
    this.connection = connection;
  }

  /**
   * Says how a gateway is reached.
   *
   * @param endpoint {@code host:port} or {@code [v6]:port}
   * @return connect it
   * @throws IllegalArgumentException when it is neither
   */
  public static ConnectionBuilder<GatewayClient> builder(String endpoint) {
    return new ConnectionBuilder<>(endpoint, GatewayClient::new);
  }

  /**
   * Opens a session, that is a worker process of one's own. Close it.
   *
   * @param options of the session
   * @return the session
   * @throws ProtocolException gateway and client speak different versions of the contract; the
   *     session is closed again then
   * @throws MxGatewayException the call failed
   */
  public Session openSession(SessionOptions options) {
    OpenSessionRequest request = options.request();
    OpenSessionReply reply = openSessionRaw(request);
    try {
      return session(request, reply);
    } catch (ProtocolException mismatch) {
      // The gateway has started a worker for us; without a Session nobody else would end it.
      try {
        closing(reply).await();
      } catch (MxGatewayException failure) {
        mismatch.addSuppressed(failure);
      }
      throw mismatch;
    }
  }

  private Session session(OpenSessionRequest request, OpenSessionReply reply) {
    Replies.checkVersions(reply);
    return attached(request, reply);
  }

  private Session attached(OpenSessionRequest request, OpenSessionReply reply) {
    return new Session(
        new SessionCore(connection, reply, request.getBackpressurePolicy()), CallOptions.DEFAULT);
  }

  private CallFuture<CloseSessionReply> closing(OpenSessionReply reply) {
    return SessionCore.closeRaw(
        connection,
        CloseSessionRequest.newBuilder().setSessionId(reply.getSessionId()).build(),
        connection.options.shutdownTimeout);
  }

  /**
   * Opens a session with the gateway's defaults.
   *
   * @return the session
   */
  public Session openSession() {
    return openSession(new SessionOptions());
  }

  /**
   * {@link #openSession(SessionOptions)} without waiting.
   *
   * @param options of the session
   * @return the session
   */
  public CompletableFuture<Session> openSessionAsync(SessionOptions options) {
    OpenSessionRequest request = options.request();
    CallFuture<Session> outcome = new CallFuture<>();
    CallFuture<OpenSessionReply> opening = opening(request);
    outcome.onCancel(() -> opening.cancel(true));
    opening.whenComplete(
        (reply, failure) -> {
          if (failure != null) {
            outcome.completeExceptionally(failure);
            return;
          }
          try {
            if (!outcome.complete(session(request, reply))) {
              closing(reply);
            }
          } catch (ProtocolException mismatch) {
            closing(reply)
                .whenComplete((closed, ignored) -> outcome.completeExceptionally(mismatch));
          }
        });
    return outcome.on(connection.options.executor);
  }

  /**
   * A session that is open already, for example from another process of the same key. Nothing is
   * sent.
   *
   * @param id of the session
   * @param capabilities those of the reply that opened it, where they are known
   * @return the session
   */
  public Session attachSession(String id, List<String> capabilities) {
    OpenSessionReply reply =
        OpenSessionReply.newBuilder().setSessionId(id).addAllCapabilities(capabilities).build();
    return attached(OpenSessionRequest.getDefaultInstance(), reply);
  }

  /**
   * {@link #attachSession(String, List)} with no known capability.
   *
   * @param id of the session
   * @return the session
   */
  public Session attachSession(String id) {
    return attachSession(id, List.of());
  }

  /**
   * Watches tags in a session of their own, which is opened anew when it is lost: so the
   * subscription survives a restart of the gateway too. Values after that are marked as recovered.
   *
   * @param tags references
   * @param options queue, overflow, reconnecting, and the session
   * @return the subscription; close it
   * @throws MxGatewayException the tags could not be subscribed
   */
  public Subscription subscribe(Collection<String> tags, SubscriptionOptions options) {
    return Subscription.start(new SubscriptionSession.Owned(this, options), tags, options);
  }

  /**
   * {@link #subscribe(Collection, SubscriptionOptions)} with the defaults.
   *
   * @param tags references
   * @return the subscription; close it
   */
  public Subscription subscribe(Collection<String> tags) {
    return subscribe(tags, new SubscriptionOptions());
  }

  /**
   * The Galaxy service on the connection of this client; closing either closes both.
   *
   * @return a client of the service
   */
  public GalaxyClient galaxy() {
    return new GalaxyClient(connection);
  }

  // --------------------------------------------------------------------------------------- raw

  /**
   * OpenSession with the generated messages; it checks no version.
   *
   * @param request gets a correlation id when it has none
   * @return the reply
   */
  public OpenSessionReply openSessionRaw(OpenSessionRequest request) {
    return opening(request).await();
  }

  private CallFuture<OpenSessionReply> opening(OpenSessionRequest request) {
    OpenSessionRequest sent =
        request.getClientCorrelationId().isEmpty()
            ? request.toBuilder().setClientCorrelationId(CorrelationIds.next()).build()
            : request;
    String id = sent.getClientCorrelationId();
    return connection
        .unary(
            new Connection.Unary<>(
                Methods.OPEN_SESSION, RpcErrors.of("OpenSession", id), false, null),
            sent)
        .map(
            reply -> {
              Replies.checkProtocol(reply, reply.getProtocolStatus(), "OpenSession", id);
              return reply;
            });
  }

  /**
   * CloseSession with the generated messages.
   *
   * @param request names the session
   * @return the reply
   */
  public CloseSessionReply closeSessionRaw(CloseSessionRequest request) {
    return SessionCore.closeRaw(connection, request, null).await();
  }

  /**
   * Runs a command and checks the reply in full.
   *
   * @param request names session and command
   * @return the reply
   */
  public MxCommandReply invoke(MxCommandRequest request) {
    MxCommandReply reply = invokeRaw(request);
    Replies.checkMxAccess(reply, Commands.methodOf(request.getCommand()));
    return reply;
  }

  /**
   * Runs a command; a failure of MXAccess stays in the reply.
   *
   * @param request names session and command
   * @return the reply
   */
  public MxCommandReply invokeRaw(MxCommandRequest request) {
    return SessionCore.invoke(connection, request, null).await();
  }

  /**
   * Lists the sessions of this key that are not closed, the oldest first; those of every key for an
   * admin.
   *
   * @param isOwnOnly leaves the others out for an admin too
   * @return the reply
   */
  public ListSessionsReply listSessions(boolean isOwnOnly) {
    return connection
        .unary(
            new Connection.Unary<>(
                Methods.LIST_SESSIONS, RpcErrors.of("ListSessions", ""), true, null),
            ListSessionsRequest.newBuilder().setOwnOnly(isOwnOnly).build())
        .await();
  }

  // ------------------------------------------------------------------------------------ alarms

  /**
   * Streams the active alarms, a marker that the snapshot is complete, and then each transition. It
   * belongs to the gateway and needs no session.
   *
   * @param request filter
   * @return the stream; close it
   */
  public MessageStream<AlarmFeedMessage> streamAlarms(StreamAlarmsRequest request) {
    return MessageStream.open(
        connection,
        Methods.STREAM_ALARMS,
        RpcErrors.of("StreamAlarms", request.getClientCorrelationId()),
        null,
        AHEAD,
        request);
  }

  /**
   * Streams the alarms that are active now.
   *
   * @param request filter, order, limit
   * @return the stream; close it
   */
  public MessageStream<ActiveAlarmSnapshot> queryActiveAlarms(QueryActiveAlarmsRequest request) {
    return MessageStream.open(
        connection,
        Methods.QUERY_ACTIVE_ALARMS,
        RpcErrors.of("QueryActiveAlarms", request.getClientCorrelationId()),
        null,
        AHEAD,
        request);
  }

  /**
   * Acknowledges one alarm. What the plant says to it is in the reply, and no exception.
   *
   * @param request names the alarm
   * @return the reply
   */
  public AcknowledgeAlarmReply acknowledgeAlarm(AcknowledgeAlarmRequest request) {
    String id = request.getClientCorrelationId();
    AcknowledgeAlarmReply reply =
        connection
            .unary(
                new Connection.Unary<>(
                    Methods.ACKNOWLEDGE_ALARM, RpcErrors.of("AcknowledgeAlarm", id), false, null),
                request)
            .await();
    Replies.checkProtocol(reply, reply.getProtocolStatus(), "AcknowledgeAlarm", id);
    return reply;
  }

  /**
   * Acknowledges many alarms, 1,000 at most, or those that a filter takes together with the number
   * that it must match. What the plant says to each is in the reply, and no exception.
   *
   * @param request names the alarms
   * @return the reply
   */
  public AcknowledgeAlarmsReply acknowledgeAlarms(AcknowledgeAlarmsRequest request) {
    String id = request.getClientCorrelationId();
    AcknowledgeAlarmsReply reply =
        connection
            .unary(
                new Connection.Unary<>(
                    Methods.ACKNOWLEDGE_ALARMS, RpcErrors.of("AcknowledgeAlarms", id), false, null),
                request)
            .await();
    Replies.checkProtocol(reply, reply.getProtocolStatus(), "AcknowledgeAlarms", id);
    return reply;
  }

  // ------------------------------------------------------------------------------------ states

  /**
   * Where the connection stands now.
   *
   * @return the state
   */
  public ConnectionState connectionState() {
    return connection.state();
  }

  /**
   * Tells the state now and after each change, on the client's executor, until the client is
   * closed.
   *
   * @param listener may be called from any thread of it
   * @return close it to hear no more
   */
  public AutoCloseable onConnectionState(Consumer<ConnectionState> listener) {
    return connection.onState(listener);
  }

  Connection connection() {
    return connection;
  }

  /** Ends all calls on the client. Idempotent. Sessions end soon after in the gateway. */
  @Override
  public void close() {
    connection.close();
  }

  /** Names the gateway, and never the key. */
  @Override
  public String toString() {
    return "client of " + connection.options.endpoint + ", " + connectionState();
  }
}
