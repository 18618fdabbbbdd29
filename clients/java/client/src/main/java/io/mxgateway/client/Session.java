package io.mxgateway.client;

import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.MxCommand;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.OpenSessionReply;
import io.mxgateway.proto.SessionState;
import io.mxgateway.proto.WorkerInfoReply;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One session of a gateway, with a worker process of its own. Its methods are those of
 * LMXProxyServer, may be called from any thread, and wait for the gateway; {@link #asynchronous()}
 * has them as futures.
 *
 * <p>An interrupt ends the wait with a {@link java.util.concurrent.CancellationException} and takes
 * the command back as far as it is still queued in the gateway. A COM call that runs goes on: after
 * a write that was interrupted or timed out its outcome is unknown, and the session stays usable.
 */
public final class Session extends BulkCommands implements AutoCloseable {

  private final SessionCore core;
  private final CallOptions options;
  private final AsyncSession waiting;

  Session(SessionCore core, CallOptions options) {
    this.core = core;
    this.options = options;
    this.waiting = new AsyncSession(core, options, null);
  }

  SessionCore core() {
    return core;
  }

  @Override
  AsyncSession async() {
    return waiting;
  }

  /**
   * The same commands as futures.
   *
   * @return a view of this session
   */
  public AsyncSession asynchronous() {
    return new AsyncSession(core, options, core.connection.options.executor);
  }

  /**
   * This session with options for its calls.
   *
   * @param callOptions of each call on the view
   * @return a view of this session
   */
  public Session with(CallOptions callOptions) {
    return new Session(core, callOptions);
  }

  /**
   * The gateway's name of this session.
   *
   * @return the id
   */
  public String id() {
    return core.id();
  }

  /**
   * What the gateway announced when the session opened.
   *
   * @return capabilities, see {@link Contract}
   */
  public List<String> capabilities() {
    return core.opened.getCapabilitiesList();
  }

  /**
   * Whether the values are no plant's.
   *
   * @return true when they are simulated; not known, so false, in a session of attachSession
   */
  public boolean isSimulated() {
    return core.opened.getIsSimulated();
  }

  /**
   * The reply that opened the session.
   *
   * @return the message as it came
   */
  public OpenSessionReply raw() {
    return core.opened;
  }

  /**
   * Whether close was called.
   *
   * @return true from then on
   */
  public boolean isClosed() {
    return core.isClosed();
  }

  /**
   * Ends the session and its worker, within the client's shutdown timeout. Idempotent. A close that
   * failed may be tried again.
   *
   * @throws MxGatewayException the gateway did not answer, or did not like it
   */
  @Override
  public void close() {
    closeWithReply();
  }

  /**
   * {@link #close()} with its reply; later and concurrent calls get the first one's.
   *
   * @return the reply
   */
  public CloseSessionReply closeWithReply() {
    return core.close().await();
  }

  /**
   * Starts a stream of the session's events, without end. It uses batches on the wire where the
   * gateway announced them.
   *
   * @param streamOptions where to begin, and how
   * @return the stream; close it
   */
  public EventStream events(StreamOptions streamOptions) {
    return EventStream.open(core, streamOptions);
  }

  /**
   * {@link #events(StreamOptions)} from now on.
   *
   * @return the stream; close it
   */
  public EventStream events() {
    return events(new StreamOptions());
  }

  /**
   * Watches tags in this session, at most as long as it lives. It returns when the tags are
   * subscribed; those that were refused stand in {@link SubscriptionStats#failures()}.
   *
   * @param tags references
   * @param subscriptionOptions queue, overflow, reconnecting
   * @return the subscription; close it
   * @throws MxGatewayException the tags could not be subscribed
   */
  public Subscription subscribe(Collection<String> tags, SubscriptionOptions subscriptionOptions) {
    return Subscription.start(new SubscriptionSession.Shared(this), tags, subscriptionOptions);
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
   * Writes a tag by name and waits for the outcome: it adds and advises, writes once the first
   * value is there, waits for OnWriteComplete, and removes the item again. The write is sent once.
   *
   * @param tag reference
   * @param value see {@link MxValues#of}, or a {@code Function<MxEvent, Object>} of the first value
   * @param confirmOptions user, verifier, time limit
   * @return what was sent, and the events before and after
   * @throws MxAccessException the reference does not exist, or the write was refused or failed
   * @throws MxTimeoutException there was no value or no completion in time: its text says whether
   *     the write was sent, and its outcome so unknown
   */
  public WriteOutcome writeAndConfirm(
      String tag, @Nullable Object value, ConfirmOptions confirmOptions) {
    return new ConfirmedWrite(this, tag, value, confirmOptions).run();
  }

  /**
   * {@link #writeAndConfirm(String, Object, ConfirmOptions)} within 15 s and without a user.
   *
   * @param tag reference
   * @param value see {@link MxValues#of}
   * @return what was sent, and the events before and after
   */
  public WriteOutcome writeAndConfirm(String tag, @Nullable Object value) {
    return writeAndConfirm(tag, value, new ConfirmOptions());
  }

  @Override
  public String toString() {
    return "session " + core.id() + (isClosed() ? ", closed" : "");
  }

  /**
   * Sends a text through gateway and worker.
   *
   * @param message any text
   * @return what came back
   * @throws MxGatewayException the call failed
   */
  public String ping(String message) {
    return await(async().ping(message));
  }

  /**
   * Asks where the session stands.
   *
   * @return the state as the gateway sees it
   * @throws MxGatewayException the call failed
   */
  public SessionState state() {
    return await(async().state());
  }

  /**
   * Asks for the worker of the session.
   *
   * @return process id, version and backend
   * @throws MxGatewayException the call failed
   */
  public WorkerInfoReply workerInfo() {
    return await(async().workerInfo());
  }

  /**
   * Takes the events that wait for this session; for diagnosis.
   *
   * @param maxEvents 0 for all that wait
   * @return the events in their order
   * @throws MxGatewayException the call failed
   */
  public List<MxEvent> drainEvents(long maxEvents) {
    return await(async().drainEvents(maxEvents));
  }

  /**
   * Ends the session's worker; for diagnosis, where the gateway allows it.
   *
   * @param gracePeriod how long the worker may take
   * @throws MxGatewayException the call failed
   */
  public void shutdownWorker(Duration gracePeriod) {
    await(async().shutdownWorker(gracePeriod));
  }

  /**
   * Injects a fault into a simulator; for tests, where the gateway allows it.
   *
   * @param fault name of the fault
   * @param parameters of the fault
   * @throws MxGatewayException the call failed
   */
  public void injectFault(String fault, Map<String, String> parameters) {
    await(async().injectFault(fault, parameters));
  }

  /**
   * Runs a command and checks the reply in full.
   *
   * @param command see {@link Commands#of}
   * @return the reply
   * @throws MxGatewayException the call failed
   */
  public MxCommandReply invoke(MxCommand command) {
    return await(async().invoke(command));
  }

  /**
   * Runs a command and leaves a failure of MXAccess in the reply.
   *
   * @param command see {@link Commands#of}
   * @return the reply
   * @throws MxGatewayException the call failed
   */
  public MxCommandReply invokeRaw(MxCommand command) {
    return await(async().invokeRaw(command));
  }
}
