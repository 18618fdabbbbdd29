package io.mxgateway.client;

import com.google.protobuf.Empty;
import com.google.protobuf.MessageLite;
import io.grpc.ClientCall;
import io.grpc.ConnectivityState;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.protobuf.ProtoUtils;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A channel with its options: deadlines, key, retries, and gRPC's failures in this library's terms.
 */
final class Connection {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final long NUDGE_NANOS = Duration.ofMillis(200).toNanos();
  private static final MethodDescriptor<Empty, Empty> HEALTH =
      MethodDescriptor.<Empty, Empty>newBuilder()
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("grpc.health.v1.Health/Check")
          .setRequestMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
          .build();

  final ConnectionOptions options;
  private final ManagedChannel channel;
  private final AtomicBoolean isClosed = new AtomicBoolean();

  /** Calls that wait for their next attempt. */
  private final Set<CallFuture<?>> backingOff = ConcurrentHashMap.newKeySet();

  /** Timers of command streams that would keep the worker after the end. */
  final Set<EarliestTimer> armed = ConcurrentHashMap.newKeySet();

  private final AtomicLong nudgedAt = new AtomicLong(System.nanoTime() - NUDGE_NANOS);

  /** Timers, and what opens command streams. Its thread ends when it has nothing to do. */
  final ScheduledThreadPoolExecutor worker;

  Connection(ConnectionOptions options) {
    this.options = options;
    this.channel = ChannelFactory.open(options);
    worker =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "mxgateway " + options.endpoint);
              thread.setDaemon(true);
              return thread;
            });
    worker.setRemoveOnCancelPolicy(true);
    worker.setKeepAliveTime(5, TimeUnit.SECONDS);
    worker.allowCoreThreadTimeOut(true);
  }

  /** What one unary call is. */
  record Unary<Q extends MessageLite, R>(
      MethodDescriptor<Q, R> method,
      RpcErrors what,
      boolean isIdempotent,
      @Nullable Duration timeout) {}

  boolean isClosed() {
    return isClosed.get();
  }

  MxGatewayException closedFailure(String what) {
    return Failure.of(ErrorKind.TRANSPORT, what + ": the client is closed");
  }

  // ------------------------------------------------------------------------------------ states

  ConnectionState state() {
    return isClosed() ? ConnectionState.CLOSED : stateOf(channel.getState(false));
  }

  private static ConnectionState stateOf(ConnectivityState state) {
    return switch (state) {
      case IDLE -> ConnectionState.IDLE;
      case CONNECTING -> ConnectionState.CONNECTING;
      case READY -> ConnectionState.CONNECTED;
      case TRANSIENT_FAILURE -> ConnectionState.RECONNECTING;
      case SHUTDOWN -> ConnectionState.CLOSED;
    };
  }

  /**
   * Tells each state, on the user's executor, until the connection is closed or it is cancelled.
   */
  AutoCloseable onState(Consumer<ConnectionState> listener) {
    AtomicBoolean isOver = new AtomicBoolean();
    watch(listener, isOver);
    return () -> isOver.set(true);
  }

  private void watch(Consumer<ConnectionState> listener, AtomicBoolean isOver) {
    ConnectivityState now = channel.getState(false);
    if (isOver.get()) {
      return;
    }
    options.executor.execute(() -> listener.accept(stateOf(now)));
    if (now != ConnectivityState.SHUTDOWN) {
      channel.notifyWhenStateChanged(now, () -> watch(listener, isOver));
    }
  }

  /** Completes when the gateway answers. */
  CallFuture<Void> ready() {
    CallFuture<Void> ready = new CallFuture<>();
    ScheduledFuture<?> timer =
        worker.schedule(
            () ->
                ready.completeExceptionally(
                    new Failure(
                            ErrorKind.TIMEOUT,
                            options.endpoint
                                + " did not answer within "
                                + ConnectionOptions.seconds(options.connectTimeout)
                                + "; is this the gateway's address and port?")
                        .retryable(true)
                        .exception()),
            options.connectTimeout.toNanos(),
            TimeUnit.NANOSECONDS);
    ready.whenComplete((done, failure) -> timer.cancel(false));
    awaitReady(ready);
    return ready;
  }

  private void awaitReady(CallFuture<Void> ready) {
    ConnectivityState now = channel.getState(true);
    if (ready.isDone()) {
      return;
    }
    switch (now) {
      case READY -> ready.complete(null);
      case SHUTDOWN -> ready.completeExceptionally(closedFailure("connect"));
      // The state alone does not say why there is no connection: a call does.
      case TRANSIENT_FAILURE -> askWhy(ready);
      default -> channel.notifyWhenStateChanged(now, () -> awaitReady(ready));
    }
  }

  private void askWhy(CallFuture<Void> ready) {
    String what = "cannot reach " + options.endpoint + (options.isPlaintext ? " without TLS" : "");
    ClientCall<Empty, Empty> call =
        channel.newCall(
            HEALTH,
            io.grpc.CallOptions.DEFAULT.withDeadlineAfter(
                options.connectTimeout.toNanos(), TimeUnit.NANOSECONDS));
    RpcErrors errors = new RpcErrors(what, "", false, "", options.isPlaintext, true);
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onClose(Status status, Metadata trailers) {
            if (status.getCode() == Status.Code.UNAVAILABLE) {
              ready.completeExceptionally(errors.map(status, trailers));
            } else {
              ready.complete(null);
            }
          }
        },
        new Metadata());
    call.sendMessage(Empty.getDefaultInstance());
    call.halfClose();
    call.request(1);
  }

  // ------------------------------------------------------------------------------------- calls

  /** Makes a call; the time limit spans all attempts. */
  <Q extends MessageLite, R> CallFuture<R> unary(Unary<Q, R> what, Q request) {
    try {
      checkSize(request, what.what.what(), what.what.correlationId());
    } catch (MxGatewayException tooLarge) {
      return CallFuture.failed(tooLarge);
    }
    Duration limit = what.timeout == null ? options.callTimeout : what.timeout;
    Deadline deadline = Deadline.after(limit.toNanos(), TimeUnit.NANOSECONDS);
    CallFuture<R> outcome = new CallFuture<>();
    attempt(what, request, deadline, 1, outcome);
    return outcome;
  }

  private <Q extends MessageLite, R> void attempt(
      Unary<Q, R> what, Q request, Deadline deadline, int number, CallFuture<R> outcome) {
    if (outcome.isDone()) {
      return;
    }
    CallFuture<R> once = once(what, request, deadline);
    outcome.onCancel(() -> once.cancel(true));
    once.whenComplete(
        (reply, thrown) -> {
          if (thrown == null) {
            outcome.complete(reply);
            return;
          }
          Duration delay = delay(what.isIdempotent, thrown, number, deadline);
          if (delay == null) {
            outcome.completeExceptionally(thrown);
            return;
          }
          backingOff.add(outcome);
          ScheduledFuture<?> later;
          try {
            later =
                worker.schedule(
                    () -> {
                      backingOff.remove(outcome);
                      attempt(what, request, deadline, number + 1, outcome);
                    },
                    delay.toNanos(),
                    TimeUnit.NANOSECONDS);
          } catch (RejectedExecutionException closed) {
            backingOff.remove(outcome);
            outcome.completeExceptionally(closedFailure("the next attempt of a call"));
            return;
          }
          outcome.onCancel(
              () -> {
                backingOff.remove(outcome);
                later.cancel(false);
              });
        });
  }

  /** How long to wait before the next attempt; null for none. */
  private @Nullable Duration delay(
      boolean isIdempotent, Throwable thrown, int number, Deadline deadline) {
    RetryPolicy retry = options.retry;
    if (retry == null
        || !isIdempotent
        || number >= retry.maxAttempts()
        || !(thrown instanceof MxGatewayException failure)
        || !failure.isRetryable()) {
      return null;
    }
    long backoff =
        Math.min(
            retry.initialDelay().toNanos() << Math.min(number - 1, 20), retry.maxDelay().toNanos());
    long drawn = (long) (backoff * ThreadLocalRandom.current().nextDouble());
    long delay = Math.max(drawn, failure.retryAfter().toNanos());
    return deadline.timeRemaining(TimeUnit.NANOSECONDS) <= delay ? null : Duration.ofNanos(delay);
  }

  private <Q extends MessageLite, R> CallFuture<R> once(
      Unary<Q, R> what, Q request, Deadline deadline) {
    if (isClosed()) {
      return CallFuture.failed(closedFailure(what.what.what()));
    }
    Authorized headers;
    try {
      headers = authorized();
    } catch (RuntimeException refused) {
      return CallFuture.failed(refused);
    }
    ClientCall<Q, R> call =
        newCall(what.method, io.grpc.CallOptions.DEFAULT.withDeadline(deadline));
    CallFuture<R> outcome = new CallFuture<>();
    outcome.onCancel(() -> call.cancel("cancelled by the caller", null));
    RpcErrors errors = what.what.withKey(headers.key);
    call.start(new Once<>(this, outcome, errors), headers.metadata);
    call.request(2);
    call.sendMessage(request);
    call.halfClose();
    return outcome;
  }

  <Q, R> ClientCall<Q, R> newCall(MethodDescriptor<Q, R> method, io.grpc.CallOptions callOptions) {
    nudge();
    return channel.newCall(method, callOptions);
  }

  /**
   * gRPC waits up to two minutes before it connects again. Who calls wants to know now: at most
   * every 0.2 s a call makes it try.
   */
  private void nudge() {
    if (channel.getState(false) != ConnectivityState.TRANSIENT_FAILURE) {
      return;
    }
    long last = nudgedAt.get();
    long now = System.nanoTime();
    if (now - last >= NUDGE_NANOS && nudgedAt.compareAndSet(last, now)) {
      channel.resetConnectBackoff();
    }
  }

  /** The headers of a call, and the key within them. */
  record Authorized(Metadata metadata, String key) {}

  Authorized authorized() {
    Metadata metadata = new Metadata();
    String key = options.apiKey();
    if (!key.isEmpty()) {
      metadata.put(AUTHORIZATION, "Bearer " + key);
    }
    return new Authorized(metadata, key);
  }

  /**
   * Refuses what is above the limit of a message: on a stream gRPC would end all that is under way.
   */
  void checkSize(MessageLite message, String what, String correlationId) {
    int size = message.getSerializedSize();
    if (size > options.maxMessageBytes - Tables.ENVELOPE_BYTES) {
      throw new Failure(
              ErrorKind.RESOURCE,
              what
                  + ": "
                  + size
                  + " bytes and their envelope are above the limit of a message, "
                  + options.maxMessageBytes
                  + " (max_message_bytes, which the gateway has, too); nothing was sent")
          .code(Status.Code.RESOURCE_EXHAUSTED)
          .correlationId(correlationId)
          .retryable(false)
          .exception();
    }
  }

  /** What a stream is to end with. */
  MxGatewayException mapped(RpcErrors what, Status status, Metadata trailers, String during) {
    return isClosed()
        ? Failure.of(
            ErrorKind.TRANSPORT, what.what() + ": the client was closed during the " + during)
        : what.map(status, trailers);
  }

  // ----------------------------------------------------------------------------------- closing

  /** Ends all calls and does not wait. */
  void shutdown() {
    if (isClosed.compareAndSet(false, true)) {
      channel.shutdownNow();
      // What is queued still runs, and finds the channel closed: nobody waits for ever.
      worker.shutdown();
      armed.forEach(EarliestTimer::stop);
      backingOff.forEach(
          call -> call.completeExceptionally(closedFailure("the next attempt of a call")));
    }
  }

  /** Ends all calls; the threads of the channel are gone soon after. Idempotent. */
  void close() {
    shutdown();
    boolean isInterrupted = Thread.interrupted();
    try {
      channel.awaitTermination(options.shutdownTimeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      isInterrupted = true;
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits for the one reply of a call. */
  private static final class Once<R> extends ClientCall.Listener<R> {
    private final Connection connection;
    private final CallFuture<R> outcome;
    private final RpcErrors errors;
    private @Nullable R reply;

    Once(Connection connection, CallFuture<R> outcome, RpcErrors errors) {
      this.connection = connection;
      this.outcome = outcome;
      this.errors = errors;
    }

    @Override
    public void onMessage(R message) {
      reply = message;
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      if (outcome.isDone()) {
        return;
      }
      if (!status.isOk()) {
        outcome.completeExceptionally(connection.mapped(errors, status, trailers, "call"));
      } else if (reply == null) {
        outcome.completeExceptionally(
            Failure.of(ErrorKind.PROTOCOL, errors.what() + ": there is no reply"));
      } else {
        outcome.complete(reply);
      }
    }
  }
}
