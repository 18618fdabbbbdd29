package io.mxgateway.client;

import com.google.protobuf.Timestamp;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxEventBatch;
import io.mxgateway.proto.ReplayGap;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The stream of a session's events, in the order of their worker_sequence.
 *
 * <p>An event whose replay_gap is set is no event of MXAccess but marks lost ones: at the head of a
 * resumed stream whose position is too old, or where a backpressure policy dropped events.
 */
public final class EventStream implements AutoCloseable {
  /** Events that come singly and are asked for ahead; of batches one is enough. */
  private static final int AHEAD = 32;

  private final @Nullable MessageStream<MxEvent> single;
  private final @Nullable MessageStream<MxEventBatch> batched;
  private List<MxEvent> waiting = List.of();
  private int taken;
  private @Nullable Timestamp received;
  private int replayed;
  private long last;
  private long dropped;

  private EventStream(
      @Nullable MessageStream<MxEvent> single, @Nullable MessageStream<MxEventBatch> batched) {
    this.single = single;
    this.batched = batched;
  }

  static EventStream open(SessionCore core, StreamOptions options) {
    var request = options.request(core.id());
    if (core.has(Contract.CAPABILITY_EVENT_BATCHES)) {
      return new EventStream(
          null,
          MessageStream.open(
              core.connection,
              Methods.STREAM_EVENT_BATCHES,
              RpcErrors.of("StreamEventBatches", ""),
              options.timeout,
              1,
              request));
    }
    return new EventStream(
        MessageStream.open(
            core.connection,
            Methods.STREAM_EVENTS,
            RpcErrors.of("StreamEvents", ""),
            options.timeout,
            AHEAD,
            request),
        null);
  }

  /**
   * Waits for the next event. An interrupt ends the wait only.
   *
   * @return the event, or null after an ordinary end or after close
   * @throws MxGatewayException how the stream ended
   * @throws java.util.concurrent.CancellationException this thread was interrupted
   */
  public @Nullable MxEvent next() {
    return next(null);
  }

  /**
   * {@link #next()} for some time.
   *
   * @param limit how long to wait; null for ever
   * @return the event, or null after an ordinary end or after close
   * @throws MxTimeoutException nothing came in time; the stream goes on
   */
  public @Nullable MxEvent next(@Nullable Duration limit) {
    while (true) {
      synchronized (this) {
        if (taken < waiting.size()) {
          MxEvent event = waiting.get(taken++);
          if (received != null) {
            event = event.toBuilder().setGatewayReceiveTimestamp(received).build();
          }
          if (event.getWorkerSequence() != 0) {
            last = event.getWorkerSequence();
          }
          return event;
        }
      }
      if (!fetch(limit)) {
        return null;
      }
    }
  }

  /**
   * Waits for everything that waits, at once: the cheapest way to take very many events.
   *
   * @return at least one event, or null after an ordinary end or after close
   * @throws MxGatewayException how the stream ended
   */
  public @Nullable EventBatch nextBatch() {
    while (true) {
      synchronized (this) {
        if (taken < waiting.size()) {
          EventBatch batch =
              new EventBatch(waiting.subList(taken, waiting.size()), replayed, received);
          waiting = List.of();
          taken = 0;
          for (int index = batch.events().size() - 1; index >= 0; index--) {
            long sequence = batch.events().get(index).getWorkerSequence();
            if (sequence != 0) {
              last = sequence;
              break;
            }
          }
          return batch;
        }
      }
      if (!fetch(null)) {
        return null;
      }
    }
  }

  private boolean fetch(@Nullable Duration limit) {
    if (single != null) {
      MxEvent event = limit == null ? single.next() : single.next(limit);
      if (event == null) {
        return false;
      }
      synchronized (this) {
        append(List.of(event));
        dropped += event.getReplayGap().getDroppedEvents();
      }
      return true;
    }
    assert batched != null;
    MxEventBatch batch = limit == null ? batched.next() : batched.next(limit);
    if (batch == null) {
      return false;
    }
    synchronized (this) {
      replayed = batch.getReplayedEvents();
      received = batch.hasGatewayReceiveTimestamp() ? batch.getGatewayReceiveTimestamp() : null;
      if (batch.getDroppedEvents() == 0) {
        append(batch.getEventsList());
        return true;
      }
      dropped += batch.getDroppedEvents();
      if (replayed > 0) {
        replayed++;
      }
      // The stream of single events has a marker at this place; a gap is as visible here.
      List<MxEvent> marked = new ArrayList<>(batch.getEventsCount() + 1);
      marked.add(
          MxEvent.newBuilder()
              .setReplayGap(ReplayGap.newBuilder().setDroppedEvents(batch.getDroppedEvents()))
              .build());
      marked.addAll(batch.getEventsList());
      append(marked);
    }
    return true;
  }

  private void append(List<MxEvent> events) {
    if (taken >= waiting.size()) {
      waiting = events;
    } else {
      // Two threads read the stream at once.
      List<MxEvent> both = new ArrayList<>(waiting.subList(taken, waiting.size()));
      both.addAll(events);
      waiting = both;
    }
    taken = 0;
  }

  /**
   * The worker_sequence of the youngest event taken from this stream.
   *
   * @return the number, unsigned; 0 before the first
   */
  public synchronized long lastWorkerSequence() {
    return last;
  }

  /**
   * Events of this stream that a backpressure policy dropped or replaced, as far as the gateway has
   * said.
   *
   * @return how many, unsigned
   */
  public synchronized long droppedEvents() {
    return dropped;
  }

  /**
   * Whether the gateway has accepted the stream, or has refused it, which next tells.
   *
   * @return completes with true when it is accepted
   */
  public CompletableFuture<Boolean> opened() {
    return openedAtOnce().copy();
  }

  CompletableFuture<Boolean> openedAtOnce() {
    return single != null
        ? single.openedAtOnce()
        : java.util.Objects.requireNonNull(batched).openedAtOnce();
  }

  /** Ends the stream at once. Idempotent; a stream that has ended stays as it ended. */
  @Override
  public void close() {
    if (single != null) {
      single.close();
    } else {
      java.util.Objects.requireNonNull(batched).close();
    }
  }
}
