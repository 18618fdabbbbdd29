package io.mxgateway.client;

import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The changes of some tags, over interruptions of the connection: what was missed is replayed, and
 * where the gateway does not have it any more, the current values are read again. Nothing is ever
 * hidden: see {@link DataChange#lostBefore()}, {@link DataChange#isRecovered()} and {@link
 * #stats()}. Its methods may be called from any thread. Close it.
 */
public final class Subscription implements AutoCloseable {
  private final SubscriptionData data;
  private final Thread thread;
  private final @Nullable SessionCore shared;

  private Subscription(SubscriptionSession source, Collection<String> tags, SubscriptionOptions o) {
    data =
        new SubscriptionData(
            new WantedItems(checked(tags)),
            new ChangeQueue(o.queueSize, o.overflow),
            source.connection().options.executor);
    shared = source instanceof SubscriptionSession.Shared own ? own.session().core() : null;
    thread =
        new Thread(
            new SubscriptionLoop(source, o, data),
            "mxgateway subscription at " + source.connection().options.endpoint);
    thread.setDaemon(true);
  }

  static Subscription start(
      SubscriptionSession source, Collection<String> tags, SubscriptionOptions options) {
    Subscription made = new Subscription(source, tags, options);
    if (made.shared != null) {
      made.shared.add(made);
    }
    made.thread.start();
    try {
      made.waitUntil(() -> made.data.state != SubscriptionState.STARTING, null);
      synchronized (made.data) {
        if (made.data.error != null && made.data.queue.size() == 0) {
          throw made.data.error;
        }
      }
    } catch (MxGatewayException | CancellationException failed) {
      made.close();
      throw failed;
    }
    return made;
  }

  private static List<String> checked(@Nullable Collection<String> tags) {
    if (tags == null) {
      throw new IllegalArgumentException("tags is null; give a list of references");
    }
    for (String tag : tags) {
      if (tag == null) {
        throw new IllegalArgumentException("tags holds null; give a list of references");
      }
    }
    return List.copyOf(tags);
  }

  /** Waits for a condition, which is asked with the lock held; false when the time is over. */
  private boolean waitUntil(BooleanSupplier condition, @Nullable Duration limit) {
    long until = limit == null ? 0 : System.nanoTime() + limit.toNanos();
    synchronized (data) {
      try {
        while (!condition.getAsBoolean()) {
          if (limit == null) {
            data.wait();
            continue;
          }
          long left = until - System.nanoTime();
          if (left <= 0) {
            return false;
          }
          TimeUnit.NANOSECONDS.timedWait(data, Math.max(left, TimeUnit.MILLISECONDS.toNanos(1)));
        }
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        throw CallFuture.cancelled(interrupted);
      }
    }
    return true;
  }

  // ------------------------------------------------------------------------------- consuming

  /**
   * Waits for the next change; those that were queued come before the end. An interrupt ends the
   * wait only.
   *
   * @return the change, or null after close
   * @throws MxGatewayException what ended the subscription
   * @throws CancellationException this thread was interrupted
   */
  public @Nullable DataChange next() {
    return next(null);
  }

  /**
   * {@link #next()} for some time.
   *
   * @param limit how long to wait; null for ever
   * @return the change, or null after close
   * @throws MxTimeoutException nothing changed in time; the subscription goes on
   */
  public @Nullable DataChange next(@Nullable Duration limit) {
    synchronized (data) {
      boolean isThere =
          waitUntil(() -> data.queue.size() > 0 || data.state == SubscriptionState.CLOSED, limit);
      if (!isThere && limit != null) {
        throw Failure.of(
            ErrorKind.TIMEOUT, "nothing changed within " + ConnectionOptions.seconds(limit));
      }
      DataChange change = data.queue.take();
      if (change == null && data.error != null) {
        throw data.error;
      }
      return change;
    }
  }

  /**
   * Hands the changes to a handler, one after the other on the client's executor, in place of next.
   * It may block, and may call the client.
   *
   * @param handler of each change
   * @throws IllegalStateException there is one already
   */
  public void onChange(Consumer<DataChange> handler) {
    data.onChange(handler);
  }

  // ------------------------------------------------------------------------------- observing

  /**
   * Where the subscription stands now.
   *
   * @return the state
   */
  public SubscriptionState state() {
    synchronized (data) {
      return data.state;
    }
  }

  /**
   * Tells the state now and each later one, on the client's executor.
   *
   * @param listener of each state
   */
  public void onState(Consumer<SubscriptionState> listener) {
    data.onState(listener);
  }

  /**
   * Waits until the subscription is in a state, or closed.
   *
   * @param wanted state
   * @param limit how long to wait; null for ever
   * @return whether it is in the state
   */
  public boolean awaitState(SubscriptionState wanted, @Nullable Duration limit) {
    waitUntil(() -> data.state == wanted || data.state == SubscriptionState.CLOSED, limit);
    return state() == wanted;
  }

  /**
   * What ended the subscription.
   *
   * @return null while it runs and after close
   */
  public @Nullable MxGatewayException error() {
    synchronized (data) {
      return data.error;
    }
  }

  /**
   * The figures now.
   *
   * @return a snapshot
   */
  public SubscriptionStats stats() {
    synchronized (data) {
      Map<String, String> failures = new LinkedHashMap<>(data.reader.unresolved());
      failures.putAll(data.items.failures());
      return new SubscriptionStats(
          data.items.tags(),
          failures,
          data.reader.gaps(),
          data.reader.lost(),
          data.queue.dropped(),
          data.queue.size(),
          data.interruptions,
          data.newSessions,
          data.lastInterruption);
    }
  }

  // --------------------------------------------------------------------------- changing tags

  /**
   * Subscribes further tags; one that is there stays as it is, one that was refused is tried again.
   * While the stream is interrupted it returns at once, and the tags are subscribed when it is
   * there again.
   *
   * @param tags references
   * @throws MxGatewayException the subscription has ended
   */
  public void add(Collection<String> tags) {
    List<String> more = checked(tags);
    int asked;
    synchronized (data) {
      checkOpen();
      asked = data.items.want(more);
      data.queue.makeRoom(data.items.count());
      data.told();
    }
    await(asked);
  }

  /**
   * Ends the subscription of some tags. No change of them is delivered any more, also none that
   * waits.
   *
   * @param tags references
   * @throws MxGatewayException the subscription has ended
   */
  public void remove(Collection<String> tags) {
    Set<String> gone = new HashSet<>(checked(tags));
    int asked;
    synchronized (data) {
      checkOpen();
      asked = data.items.unwant(gone);
      data.queue.discard(gone);
      data.reader.forget(gone);
      data.told();
    }
    await(asked);
  }

  private void await(int asked) {
    waitUntil(
        () -> !data.isServing || data.items.isDone(asked) || data.state == SubscriptionState.CLOSED,
        null);
    synchronized (data) {
      if (!data.items.isDone(asked)) {
        checkOpen();
      }
    }
  }

  private void checkOpen() {
    if (data.state == SubscriptionState.CLOSED) {
      throw data.error != null
          ? data.error
          : Failure.of(ErrorKind.SESSION, "the subscription is closed");
    }
  }

  /**
   * Ends the subscription: its items are un-advised and removed as far as the gateway answers, and
   * a session of its own is closed. Idempotent; its threads are gone when it returns.
   */
  @Override
  public void close() {
    synchronized (data) {
      if (data.state != SubscriptionState.CLOSED) {
        thread.interrupt();
      }
    }
    boolean isInterrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException interrupted) {
        isInterrupted = true;
      }
    }
    if (shared != null) {
      shared.remove(this);
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
