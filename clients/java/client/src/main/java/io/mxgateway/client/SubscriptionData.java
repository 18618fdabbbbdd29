package io.mxgateway.client;

import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxEventFamily;
import io.mxgateway.proto.MxEventOrigin;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a subscription's thread and its users share; the object itself is the lock, and whoever
 * changes something wakes those who wait for it.
 */
final class SubscriptionData {
  private static final Logger LOGGER = LoggerFactory.getLogger(SubscriptionData.class);

  final WantedItems items;
  final ChangeQueue queue;
  final ChangeReader reader;
  private final Executor executor;
  SubscriptionState state = SubscriptionState.STARTING;
  @Nullable MxGatewayException error;
  @Nullable MxGatewayException lastInterruption;
  int interruptions;
  int newSessions;

  /** Whether all tags were subscribed once. */
  boolean stands;

  boolean isServing;
  boolean isStreamOpen;

  /** The stream that is read now. */
  @Nullable EventStream serving;

  private final List<Consumer<SubscriptionState>> stateListeners = new ArrayList<>();
  private @Nullable Consumer<DataChange> handler;
  private boolean isPumping;

  SubscriptionData(WantedItems items, ChangeQueue queue, Executor executor) {
    this.items = items;
    this.queue = queue;
    this.reader = new ChangeReader(items, queue::takeLost);
    this.executor = executor;
    queue.makeRoom(items.count());
  }

  /** Sets the state; the last one stays. */
  void turn(SubscriptionState to) {
    if (state == to || state == SubscriptionState.CLOSED) {
      return;
    }
    state = to;
    for (Consumer<SubscriptionState> listener : stateListeners) {
      executor.execute(() -> listener.accept(to));
    }
    told();
  }

  void streamStands(EventStream stream) {
    if (serving == stream) {
      isStreamOpen = true;
      takeTurn();
    }
  }

  /** The state that follows from stream and items. */
  void takeTurn() {
    if (!items.isComplete()) {
      return;
    }
    if (!stands) {
      stands = true;
      queue.filled();
      turn(SubscriptionState.CONNECTED);
    } else if (isStreamOpen && state == SubscriptionState.RECONNECTING) {
      turn(SubscriptionState.RECOVERED);
    }
  }

  void put(DataChange change) {
    String warning = queue.put(change);
    if (warning != null) {
      LOGGER.warn(warning);
    }
  }

  /** An event that is no gap becomes a change, where it is one of a wanted tag. */
  void take(MxEvent event, boolean isOfRing) {
    putOlder();
    // What the gateway sends once more moves no position.
    if (event.getOrigin() != MxEventOrigin.MX_EVENT_ORIGIN_RECOVERED
        && (!reader.isNew(event)
            || event.getFamily() != MxEventFamily.MX_EVENT_FAMILY_ON_DATA_CHANGE)) {
      return;
    }
    boolean isReplayed = isOfRing || event.getOrigin() == MxEventOrigin.MX_EVENT_ORIGIN_REPLAYED;
    DataChange change = reader.change(event, isReplayed);
    if (change != null) {
      put(change);
    }
  }

  /** The reply may have come just now: what waited for it is older than what follows. */
  void putOlder() {
    if (reader.hasEarly() && !items.isNaming()) {
      putEarly();
    }
  }

  /** What came before the reply that names its items becomes changes. */
  void putEarly() {
    // They are older than a gap that was met meanwhile.
    long lostLater = queue.takeLost();
    for (ChangeReader.EarlyChange each : reader.earlyChanges()) {
      queue.lose(each.lost());
      DataChange change = each.change();
      if (change != null) {
        put(change);
      }
    }
    queue.lose(lostLater);
  }

  /** Something changed. */
  void told() {
    notifyAll();
    if (handler != null && !isPumping && (queue.size() > 0)) {
      isPumping = true;
      executor.execute(this::pump);
    }
  }

  synchronized void onState(Consumer<SubscriptionState> listener) {
    stateListeners.add(listener);
    SubscriptionState now = state;
    executor.execute(() -> listener.accept(now));
  }

  synchronized void onChange(Consumer<DataChange> consumer) {
    if (handler != null) {
      throw new IllegalStateException("the subscription has a handler already");
    }
    handler = consumer;
    told();
  }

  /** Hands changes to the handler, one after the other, until none waits. */
  private void pump() {
    while (true) {
      DataChange change;
      Consumer<DataChange> consumer;
      synchronized (this) {
        change = queue.take();
        consumer = handler;
        if (change == null || consumer == null) {
          isPumping = false;
          return;
        }
      }
      try {
        consumer.accept(change);
      } catch (RuntimeException thrown) {
        LOGGER.error("the handler of a subscription has failed; it goes on", thrown);
      }
    }
  }

  /** Waits for the reply that names new items, if one is under way. */
  synchronized void awaitNames() {
    while (items.isNaming() && isServing) {
      try {
        wait();
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        throw CallFuture.cancelled(interrupted);
      }
    }
  }
}
