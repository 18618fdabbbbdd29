package io.mxgateway.client;

import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.DrainEventsCommand;
import io.mxgateway.proto.GetSessionStateCommand;
import io.mxgateway.proto.GetWorkerInfoCommand;
import io.mxgateway.proto.InjectFaultCommand;
import io.mxgateway.proto.MxCommand;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.PingCommand;
import io.mxgateway.proto.SessionState;
import io.mxgateway.proto.ShutdownWorkerCommand;
import io.mxgateway.proto.WorkerInfoReply;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * The commands of a session as futures.
 *
 * <p>Cancelling a future that is pending takes the command back as far as it is still queued in the
 * gateway; a COM call that runs goes on. After completion it does nothing. A future that was made
 * of one of these, for example by {@code thenApply}, does not hand its cancellation on.
 *
 * <p>Arguments that cannot be sent are refused at once, by IllegalArgumentException and not by the
 * future. What hangs on a future runs on the executor of the client.
 */
public final class AsyncSession extends AsyncBulkCommands {

  AsyncSession(SessionCore core, CallOptions options, @Nullable Executor executor) {
    super(core, options, executor);
  }

  /**
   * Sends a text through gateway and worker.
   *
   * @param message any text
   * @return what came back
   */
  public CompletableFuture<String> ping(String message) {
    return done(
        call(PingCommand.newBuilder().setMessage(message).build())
            .map(MxCommandReply::getDiagnosticMessage));
  }

  /**
   * Asks where the session stands.
   *
   * @return the state as the gateway sees it
   */
  public CompletableFuture<SessionState> state() {
    return payload(
        GetSessionStateCommand.getDefaultInstance(),
        "get_session_state",
        MxCommandReply::hasGetSessionState,
        reply -> reply.getGetSessionState().getState());
  }

  /**
   * Asks for the worker of the session.
   *
   * @return process id, version and backend
   */
  public CompletableFuture<WorkerInfoReply> workerInfo() {
    return payload(
        GetWorkerInfoCommand.getDefaultInstance(),
        "get_worker_info",
        MxCommandReply::hasGetWorkerInfo,
        MxCommandReply::getGetWorkerInfo);
  }

  /**
   * Takes the events that wait for this session; for diagnosis.
   *
   * @param maxEvents 0 for all that wait
   * @return the events in their order
   */
  public CompletableFuture<List<MxEvent>> drainEvents(long maxEvents) {
    return payload(
        DrainEventsCommand.newBuilder().setMaxEvents(unsigned("max_events", maxEvents)).build(),
        "drain_events",
        MxCommandReply::hasDrainEvents,
        reply -> reply.getDrainEvents().getEventsList());
  }

  /**
   * Ends the session's worker; for diagnosis, where the gateway allows it.
   *
   * @param gracePeriod how long the worker may take
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> shutdownWorker(Duration gracePeriod) {
    return plain(
        ShutdownWorkerCommand.newBuilder()
            .setGracePeriod(
                com.google.protobuf.Duration.newBuilder()
                    .setSeconds(gracePeriod.getSeconds())
                    .setNanos(gracePeriod.getNano()))
            .build());
  }

  /**
   * Injects a fault into a simulator; for tests, where the gateway allows it.
   *
   * @param fault name of the fault
   * @param parameters of the fault
   * @return completes when the gateway has answered
   */
  public CompletableFuture<Void> injectFault(String fault, Map<String, String> parameters) {
    return plain(
        InjectFaultCommand.newBuilder().setFault(fault).putAllParameters(parameters).build());
  }

  /**
   * Runs a command and checks the reply in full.
   *
   * @param command see {@link Commands#of}
   * @return the reply
   */
  public CompletableFuture<MxCommandReply> invoke(MxCommand command) {
    return done(core.invoke(command, options));
  }

  /**
   * Runs a command and leaves a failure of MXAccess in the reply.
   *
   * @param command see {@link Commands#of}
   * @return the reply
   */
  public CompletableFuture<MxCommandReply> invokeRaw(MxCommand command) {
    return done(core.invokeRaw(command, options));
  }

  /**
   * Writes a tag by name; the outcome is that of its OnWriteComplete, see {@link
   * Session#writeAndConfirm(String, Object, ConfirmOptions)}. A thread of its own waits for it.
   * After cancelling, what was made for the write is removed; whether a write that was sent has
   * happened is unknown.
   *
   * @param tag reference
   * @param value see {@link MxValues#of}, or a {@code Function<MxEvent, Object>} of the first value
   * @param confirmOptions user, verifier, time limit
   * @return what was sent, and the events before and after
   */
  public CompletableFuture<WriteOutcome> writeAndConfirm(
      String tag, @Nullable Object value, ConfirmOptions confirmOptions) {
    CallFuture<WriteOutcome> outcome = new CallFuture<>();
    ConfirmedWrite write =
        new ConfirmedWrite(new Session(core, options), tag, value, confirmOptions);
    Thread thread =
        new Thread(
            () -> {
              try {
                outcome.complete(write.run());
              } catch (RuntimeException failure) {
                outcome.completeExceptionally(failure);
              }
            },
            "mxgateway write " + tag);
    thread.setDaemon(true);
    thread.start();
    outcome.onCancel(thread::interrupt);
    return done(outcome);
  }

  /**
   * Ends the session and its worker, see {@link Session#close()}.
   *
   * @return the reply
   */
  public CompletableFuture<CloseSessionReply> close() {
    return CompletableFuture.supplyAsync(
        () -> core.close().await(), core.connection.options.executor);
  }
}
