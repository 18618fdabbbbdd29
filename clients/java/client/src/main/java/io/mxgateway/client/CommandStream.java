package io.mxgateway.client;

import io.grpc.ClientCall;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import io.mxgateway.proto.MxCommand;
import io.mxgateway.proto.MxCommandBatch;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxCommandReplyBatch;
import io.mxgateway.proto.MxStreamCommand;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Carries the commands of one session: everything that waits travels in one message, so concurrent
 * calls pipeline by themselves. It is opened by its first command, and after a failure by the next.
 */
final class CommandStream {
  /** How long without a command makes the next one get a new stream: proxies end idle ones. */
  private static final long STALE_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** No limit is longer. */
  private static final long MOST_SECONDS = TimeUnit.DAYS.toSeconds(36_500);

  /** About how long one message of commands gets. */
  private static final int BATCH_BYTES = 1 << 20;

  private final Connection connection;
  private final String sessionId;
  private final Map<String, Pending> underWay = new LinkedHashMap<>();
  private final ArrayDeque<Pending> waiting = new ArrayDeque<>();
  private List<String> cancels = new ArrayList<>();
  private final CommandPacing pacing = new CommandPacing();
  private final EarliestTimer holding;
  private final EarliestTimer deadlines;
  private int inWindow;
  private long usedAt;
  private boolean isClosed;
  private boolean isUnsupported;
  private @Nullable Run run;

  CommandStream(Connection connection, String sessionId) {
    this.connection = connection;
    this.sessionId = sessionId;
    holding = new EarliestTimer(connection, this::holdNoLonger);
    deadlines = new EarliestTimer(connection, this::lookAtDeadlines);
  }

  /** A command that somebody waits for. */
  private static final class Pending {
    final MxStreamCommand message;
    final String what;
    final int size;
    final Duration limit;
    final long dueAt;
    final CallFuture<MxCommandReply> outcome = new CallFuture<>();

    /** The number of the message that it went in; 0 before. */
    long sentIn;

    Pending(MxStreamCommand message, String what, Duration limit) {
      this.message = message;
      this.what = what;
      this.size = message.getSerializedSize();
      this.limit = limit;
      // A century is as good as for ever, and none of the sums goes round.
      this.dueAt =
          System.nanoTime()
              + Math.min(limit.toSeconds(), MOST_SECONDS) * 1_000_000_000L
              + limit.getNano();
    }

    String id() {
      return message.getCorrelationId();
    }
  }

  /** Whether a command with this id can go over the stream; else it has to go as a unary call. */
  synchronized boolean takes(String correlationId) {
    return !isClosed && !isUnsupported && !underWay.containsKey(correlationId);
  }

  CallFuture<MxCommandReply> invoke(MxCommand command, String correlationId, Duration limit) {
    Pending pending =
        new Pending(
            MxStreamCommand.newBuilder()
                .setCorrelationId(correlationId)
                .setCommand(command)
                .setTimeout(
                    com.google.protobuf.Duration.newBuilder()
                        .setSeconds(limit.getSeconds())
                        .setNanos(limit.getNano()))
                .build(),
            Commands.methodOf(command),
            limit);
    try {
      connection.checkSize(pending.message, pending.what, correlationId);
      pending.outcome.onCancel(() -> forget(pending));
      begin(pending);
    } catch (MxGatewayException tooLarge) {
      return CallFuture.failed(tooLarge);
    } catch (RejectedExecutionException closed) {
      return CallFuture.failed(connection.closedFailure(pending.what));
    }
    return pending.outcome;
  }

  private void lookAtDeadlines() {
    long now = System.nanoTime();
    List<Pending> due = new ArrayList<>();
    synchronized (this) {
      long next = Long.MAX_VALUE;
      for (Pending each : underWay.values()) {
        long left = each.dueAt - now;
        if (left <= 0) {
          due.add(each);
        } else {
          next = Math.min(next, left);
        }
      }
      if (next < Long.MAX_VALUE) {
        arm(deadlines, now + next);
      }
    }
    for (Pending each : due) {
      if (forget(each)) {
        each.outcome.completeExceptionally(
            new Failure(
                    ErrorKind.TIMEOUT,
                    each.what
                        + ": DEADLINE_EXCEEDED: no reply within "
                        + ConnectionOptions.seconds(each.limit))
                .code(Status.Code.DEADLINE_EXCEEDED)
                .correlationId(each.id())
                .exception());
      }
    }
  }

  private static void arm(EarliestTimer timer, long moment) {
    try {
      timer.by(moment);
    } catch (RejectedExecutionException closed) {
      // The end of the connection is the end of all that waits.
    }
  }

  private void holdNoLonger() {
    long now = System.nanoTime();
    Run toTell;
    synchronized (this) {
      if (!pacing.isOverdue(now)) {
        if (pacing.isHolding()) {
          arm(holding, pacing.hold(now));
        }
        return;
      }
      toTell = run;
    }
    if (toTell != null) {
      toTell.wake();
    }
  }

  private void begin(Pending pending) {
    Run stale = null;
    @Nullable Run current;
    synchronized (this) {
      if (isClosed) {
        pending.outcome.completeExceptionally(
            new Failure(
                    ErrorKind.SESSION, pending.what + ": the session was closed during the call")
                .correlationId(pending.id())
                .exception());
        return;
      }
      long now = System.nanoTime();
      if (run != null && underWay.isEmpty() && now - usedAt > STALE_NANOS) {
        // Between here and the gateway somebody may be ending it right now, and the command with
        // it.
        stale = run;
        run = null;
      }
      usedAt = now;
      deadlines.by(pending.dueAt);
      underWay.put(pending.id(), pending);
      waiting.add(pending);
      if (run == null) {
        run = new Run();
      }
      current = run;
      if (pacing.holds(inWindow)) {
        arm(holding, pacing.hold(now));
        current = null;
      }
    }
    if (stale != null) {
      stale.cancel();
    }
    if (current != null) {
      current.wake();
    }
  }

  /**
   * Drops a command that nobody waits for: it is not sent, or the gateway is told to drop it from
   * its queue. False when its answer is there.
   */
  private boolean forget(Pending pending) {
    Run toTell = null;
    synchronized (this) {
      if (!underWay.remove(pending.id(), pending)) {
        return false;
      }
      if (pending.sentIn > 0) {
        inWindow--;
        cancels.add(pending.id());
        toTell = run;
      }
    }
    if (toTell != null) {
      toTell.wake();
    }
    return true;
  }

  /** Everything that waits, within the window and the size of a message; null for nothing. */
  private synchronized @Nullable MxCommandBatch next(Run asking) {
    if (run != asking) {
      return null;
    }
    MxCommandBatch.Builder batch = MxCommandBatch.newBuilder();
    batch.addAllCancelCorrelationIds(cancels);
    cancels = new ArrayList<>();
    int most = Math.min(BATCH_BYTES, connection.options.maxMessageBytes - Tables.ENVELOPE_BYTES);
    int size = 0;
    long message = 0;
    boolean isHeld = !waiting.isEmpty() && pacing.holds(inWindow);
    if (isHeld) {
      arm(holding, pacing.hold(System.nanoTime()));
    }
    while (!isHeld
        && !waiting.isEmpty()
        && inWindow < Tables.COMMAND_WINDOW
        && batch.getCommandsCount() < Tables.COMMANDS_PER_MESSAGE) {
      Pending pending = waiting.peek();
      if (size > 0 && size + pending.size > most) {
        break;
      }
      waiting.remove();
      if (underWay.get(pending.id()) != pending) {
        continue;
      }
      if (message == 0) {
        message = pacing.send(inWindow);
      }
      pending.sentIn = message;
      inWindow++;
      size += pending.size;
      batch.addCommands(pending.message);
    }
    if (asking.isFirst) {
      asking.isFirst = false;
      return batch.setSessionId(sessionId).build();
    }
    return batch.getCommandsCount() == 0 && batch.getCancelCorrelationIdsCount() == 0
        ? null
        : batch.build();
  }

  private void settle(Run from, MxCommandReplyBatch batch) {
    List<Pending> answered = new ArrayList<>();
    List<MxCommandReply> replies = new ArrayList<>();
    boolean hasMore;
    synchronized (this) {
      usedAt = System.nanoTime();
      for (MxCommandReply reply : batch.getRepliesList()) {
        // None for the reply to a command that timed out or was cancelled.
        Pending pending = underWay.get(reply.getCorrelationId());
        if (pending != null && pending.sentIn > 0) {
          underWay.remove(pending.id());
          inWindow--;
          pacing.answer(pending.sentIn);
          answered.add(pending);
          replies.add(reply);
        }
      }
      hasMore = !waiting.isEmpty();
    }
    if (hasMore) {
      from.wake();
    }
    for (int index = 0; index < answered.size(); index++) {
      answered.get(index).outcome.complete(replies.get(index));
    }
  }

  /** The end of a stream; what waits belongs to another one where that has taken its place. */
  private void end(Run ended, MxGatewayException failure) {
    List<Pending> failed;
    synchronized (this) {
      if (run != ended) {
        return;
      }
      run = null;
      if (failure.code().orElse(null) == Status.Code.UNIMPLEMENTED) {
        isUnsupported = true;
      }
      failed = takeAll();
    }
    fail(failed, failure);
  }

  private List<Pending> takeAll() {
    List<Pending> all = new ArrayList<>(underWay.values());
    underWay.clear();
    waiting.clear();
    cancels.clear();
    inWindow = 0;
    holding.stop();
    deadlines.stop();
    return all;
  }

  private static void fail(List<Pending> pending, MxGatewayException failure) {
    Failure cause = failure.failure();
    for (Pending each : pending) {
      // Whether it ran is unknown, so it may not be repeated unseen.
      Failure own = new Failure(cause.kind, each.what + ": " + failure.getMessage());
      own.reason = cause.reason;
      own.code = cause.code;
      own.retryAfter = cause.retryAfter;
      own.cause = cause.cause;
      each.outcome.completeExceptionally(own.correlationId(each.id()).exception());
    }
  }

  /** Ends the stream; commands that still wait fail. Idempotent. */
  void close() {
    List<Pending> failed;
    Run last;
    synchronized (this) {
      isClosed = true;
      failed = takeAll();
      last = run;
      run = null;
    }
    fail(failed, Failure.of(ErrorKind.SESSION, "the session was closed during the call"));
    if (last != null) {
      last.cancel();
    }
  }

  /** One stream. Whoever has something to send does it, unless somebody else is at it. */
  private final class Run extends ClientCall.Listener<MxCommandReplyBatch> {
    boolean isFirst = true;
    private boolean isSending;
    private boolean isWoken;
    private boolean isCancelled;
    private RpcErrors what = RpcErrors.of("InvokeStream", "");
    private @Nullable ClientCall<MxCommandBatch, MxCommandReplyBatch> call;

    void wake() {
      boolean isOpen;
      synchronized (this) {
        isWoken = true;
        if (isSending) {
          return;
        }
        isSending = true;
        isOpen = call != null;
      }
      if (isOpen) {
        send();
        return;
      }
      try {
        // Who gives the key may take his time.
        connection.worker.execute(this::send);
      } catch (RejectedExecutionException closed) {
        end(this, connection.closedFailure("InvokeStream"));
      }
    }

    private void send() {
      ClientCall<MxCommandBatch, MxCommandReplyBatch> open;
      synchronized (this) {
        if (isCancelled) {
          return;
        }
        open = call;
      }
      try {
        if (open == null) {
          open = open();
        }
        while (isToSend()) {
          while (open.isReady()) {
            MxCommandBatch batch = next(this);
            if (batch == null) {
              break;
            }
            open.sendMessage(batch);
          }
        }
      } catch (IllegalStateException over) {
        // It was cancelled meanwhile; onClose says why.
        return;
      } catch (RuntimeException refused) {
        end(
            this,
            refused instanceof MxGatewayException failure
                ? failure
                : Failure.of(ErrorKind.TRANSPORT, String.valueOf(refused.getMessage())));
      }
    }

    /** Whether somebody has something since it was asked last; without, the next one sends. */
    private synchronized boolean isToSend() {
      boolean isToSend = isWoken;
      isWoken = false;
      isSending = isToSend;
      return isToSend;
    }

    private ClientCall<MxCommandBatch, MxCommandReplyBatch> open() {
      Connection.Authorized headers = connection.authorized();
      io.grpc.CallOptions options = io.grpc.CallOptions.DEFAULT;
      if (connection.options.streamTimeout != null) {
        options =
            options.withDeadline(
                Deadline.after(connection.options.streamTimeout.toNanos(), TimeUnit.NANOSECONDS));
      }
      ClientCall<MxCommandBatch, MxCommandReplyBatch> made =
          connection.newCall(Methods.INVOKE_STREAM, options);
      synchronized (this) {
        what = what.withKey(headers.key());
        call = made;
      }
      made.start(this, headers.metadata());
      made.request(1);
      return made;
    }

    void cancel() {
      ClientCall<MxCommandBatch, MxCommandReplyBatch> open;
      synchronized (this) {
        isCancelled = true;
        open = call;
      }
      if (open != null) {
        open.cancel("the command stream is not needed any more", null);
      }
    }

    @Override
    public void onReady() {
      wake();
    }

    @Override
    public void onMessage(MxCommandReplyBatch batch) {
      settle(this, batch);
      ClientCall<MxCommandBatch, MxCommandReplyBatch> open = call;
      if (open != null) {
        open.request(1);
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      end(
          this,
          status.isOk()
              ? Failure.of(ErrorKind.TRANSPORT, "the gateway ended the command stream")
              : connection.mapped(what, status, trailers, "call"));
    }
  }
}
