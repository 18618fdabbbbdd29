package io.mxgateway.client;

import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.ReplayGap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread of a subscription: keeps its queue filled, over interruptions, lost sessions and gaps.
 * A second thread keeps the items while this one reads. An interrupt ends it.
 */
final class SubscriptionLoop implements Runnable {
  private static final Logger LOGGER = LoggerFactory.getLogger(SubscriptionLoop.class);

  /** Sessions that may end one after the other before they have all tags; more is no accident. */
  private static final int MOST_LOST = 5;

  private final SubscriptionSession source;
  private final SubscriptionOptions options;
  private final SubscriptionData data;
  private final ItemKeeper keeper;
  private final ReconnectRules rules;
  private @Nullable Session session;

  /** Whether the session has tags of ours; else there is nothing in it to go on with. */
  private volatile boolean isSetUp;

  SubscriptionLoop(SubscriptionSession source, SubscriptionOptions options, SubscriptionData data) {
    this.source = source;
    this.options = options;
    this.data = data;
    this.keeper = new ItemKeeper(data, data.items, options.isSupervisory);
    this.rules =
        new ReconnectRules(
            options.firstDelay,
            options.longestDelay,
            () -> ThreadLocalRandom.current().nextDouble());
  }

  @Override
  public void run() {
    MxGatewayException failure = null;
    try {
      work();
    } catch (CancellationException closed) {
      failure = null;
    } catch (MxGatewayException ended) {
      failure = ended;
    } catch (RuntimeException broken) {
      LOGGER.error("a subscription has failed", broken);
      failure =
          new Failure(ErrorKind.TRANSPORT, "the subscription has failed: " + broken)
              .retryable(false)
              .cause(broken)
              .exception();
    }
    end(failure);
  }

  private void work() {
    EventStream stream = connect();
    int lost = 0;
    while (true) {
      MxGatewayException failure = serve(stream);
      boolean isLost = ReconnectRules.saysSessionLost(failure);
      boolean stands;
      synchronized (data) {
        stands = data.stands;
        data.interruptions += isSetUp ? 1 : 0;
      }
      boolean mayGoOn =
          stands
              || (isSetUp && (ReconnectRules.isTransient(failure) || (isLost && source.isOwned())));
      if (!stands && isLost && ++lost >= MOST_LOST) {
        mayGoOn = false;
      }
      if (failure instanceof OverflowException || !mayGoOn) {
        throw failure;
      }
      stream = reconnect(failure);
    }
  }

  // ------------------------------------------------------------------------------ connecting

  /** Opens a stream in a session that has nothing of the subscription yet. */
  private EventStream connect() {
    isSetUp = false;
    Session opened = source.open();
    session = opened;
    // The stream comes first, so that no first value is missed.
    EventStream stream = opened.events(recovering(new StreamOptions()));
    try {
      int handle = opened.register("subscription");
      synchronized (data) {
        data.items.begin(handle, opened.core().has(Contract.CAPABILITY_CLIENT_HANDLES));
        // The first value of each tag replaces what was missed while there was no session.
        data.queue.lose(data.reader.beginSession(data.stands ? data.items.tags() : List.of()));
      }
    } catch (RuntimeException failure) {
      stream.close();
      throw failure;
    }
    return stream;
  }

  private boolean recoversGaps() {
    return session != null && session.core().has(Contract.CAPABILITY_RECOVERED_VALUES);
  }

  private StreamOptions recovering(StreamOptions streamOptions) {
    return recoversGaps() ? streamOptions.recoverGaps() : streamOptions;
  }

  private EventStream reconnect(MxGatewayException first) {
    synchronized (data) {
      data.lastInterruption = first;
      if (data.stands && options.reconnects) {
        data.turn(SubscriptionState.RECONNECTING);
      }
    }
    if (!options.reconnects) {
      throw first;
    }
    LOGGER.info("subscription interrupted: {}", first.getMessage());
    MxGatewayException failure = first;
    while (true) {
      boolean isLost = ReconnectRules.saysSessionLost(failure);
      if (isLost ? !source.isOwned() : !ReconnectRules.isTransient(failure)) {
        throw failure;
      }
      pause(failure);
      try {
        // A session that was lost before its tags were in it has nothing to resume.
        return isLost || !isSetUp ? replaceSession() : resume();
      } catch (MxGatewayException again) {
        if (!isLost && ReconnectRules.saysSessionLost(again)) {
          // The gateway is there again and has answered: the new session need not wait.
          rules.reset();
        }
        failure = again;
        synchronized (data) {
          data.lastInterruption = again;
        }
      }
    }
  }

  private void pause(MxGatewayException failure) {
    try {
      TimeUnit.NANOSECONDS.sleep(rules.delay(failure).toNanos());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw CallFuture.cancelled(interrupted);
    }
  }

  private EventStream replaceSession() {
    // No way back from here: the next attempt is a new session, too.
    isSetUp = false;
    Session former = session;
    if (former != null && source.isOwned()) {
      try {
        former.close();
        session = null;
      } catch (MxGatewayException failure) {
        LOGGER.info("the lost session could not be closed: {}", failure.getMessage());
      }
    }
    return connect();
  }

  private EventStream resume() {
    Session same = java.util.Objects.requireNonNull(session);
    // Asks first: a stream alone would only fail with its first event.
    same.state();
    long position;
    synchronized (data) {
      position = data.reader.position();
    }
    StreamOptions from = new StreamOptions();
    // Before its first event there is no position to go on from, only the beginning.
    return same.events(recovering(position == 0 ? from.fromBeginning() : from.after(position)));
  }

  // --------------------------------------------------------------------------------- serving

  /**
   * Feeds the queue and keeps the items as they are wanted, until the stream or a command fails.
   */
  private MxGatewayException serve(EventStream stream) {
    Session served = java.util.Objects.requireNonNull(session);
    long began = System.nanoTime();
    AtomicReference<MxGatewayException> failure = new AtomicReference<>();
    synchronized (data) {
      data.isServing = true;
      data.isStreamOpen = false;
      data.serving = stream;
    }
    Thread keeping = keeping(served, stream, failure);
    // Quiet tags may send nothing for hours; the stream stands all the same.
    stream
        .openedAtOnce()
        .thenAccept(
            isOpen -> {
              if (isOpen) {
                synchronized (data) {
                  data.streamStands(stream);
                }
              }
            });
    MxGatewayException ended = null;
    try {
      read(served, stream);
    } catch (MxGatewayException broken) {
      ended = broken;
      if (!(broken instanceof OverflowException)) {
        // With the tags in the session what has come counts, and the stream can be resumed.
        data.awaitNames();
      }
    } finally {
      synchronized (data) {
        data.serving = null;
      }
      stream.close();
      keeping.interrupt();
      joined(keeping);
      synchronized (data) {
        data.isServing = false;
        data.notifyAll();
      }
    }
    if (System.nanoTime() - began > options.longestDelay.toNanos()) {
      rules.reset();
    }
    MxGatewayException first = failure.get();
    return first != null ? first : java.util.Objects.requireNonNull(ended);
  }

  private Thread keeping(
      Session served, EventStream stream, AtomicReference<MxGatewayException> failure) {
    Thread thread =
        new Thread(
            () -> {
              try {
                keeper.keep(served, this::itemsAdded);
              } catch (InterruptedException | CancellationException over) {
                // Another stream, or none, takes over.
                return;
              } catch (MxGatewayException broken) {
                failure.set(broken);
              } catch (RuntimeException broken) {
                LOGGER.error("a subscription has failed", broken);
                failure.set(
                    new Failure(ErrorKind.PROTOCOL, "the subscription has failed: " + broken)
                        .cause(broken)
                        .exception());
              }
              stream.close();
            },
            Thread.currentThread().getName() + ", items");
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static void joined(Thread thread) {
    boolean isInterrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException interrupted) {
        isInterrupted = true;
      }
    }
    if (isInterrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Further tags are in the session; what came of them before that was known becomes changes. */
  private void itemsAdded() {
    if (!isSetUp) {
      isSetUp = true;
      if (data.stands) {
        data.newSessions++;
        data.reader.newSession();
      }
    }
    data.takeTurn();
    data.putEarly();
    data.told();
  }

  private void read(Session served, EventStream stream) {
    boolean isFirst;
    synchronized (data) {
      // Before its first event a new stream may lack what no stream had.
      isFirst = data.reader.position() == 0;
    }
    while (true) {
      EventBatch batch = stream.nextBatch();
      if (batch == null) {
        throw Failure.of(ErrorKind.CONNECTION, "the gateway ended the event stream");
      }
      synchronized (data) {
        if (data.items.isComplete()) {
          // A session that ends before it has all tags may do so again.
          rules.reset();
        }
        data.streamStands(stream);
      }
      take(served, batch, isFirst);
      isFirst = false;
    }
  }

  private void take(Session served, EventBatch batch, boolean isFirst) {
    List<MxEvent> events = batch.events();
    int index = 0;
    while (index < events.size()) {
      synchronized (data) {
        while (index < events.size() && !events.get(index).hasReplayGap()) {
          data.take(events.get(index), index < batch.replayed());
          index++;
        }
        data.told();
      }
      if (index < events.size()) {
        gap(served, events.get(index).getReplayGap(), isFirst);
        index++;
      }
    }
  }

  /**
   * Counts changes that were lost, and reads the current values where they may be newer than what
   * comes. A gateway that recovers gaps sends them by itself, right behind this.
   */
  private void gap(Session served, ReplayGap gap, boolean isFirst) {
    Map<String, BulkReadResult> results = Map.of();
    boolean hasToRead =
        ChangeReader.hasToRead(gap, isFirst, served.core().policy) && !recoversGaps();
    if (hasToRead) {
      try {
        results = keeper.readAll(served);
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        throw CallFuture.cancelled(interrupted);
      }
    }
    synchronized (data) {
      data.putOlder();
      // Only now: when the reading breaks off, the stream is resumed before the gap and tells
      // again.
      data.queue.lose(data.reader.lose(gap));
      results.forEach(
          (tag, result) -> {
            if (result.getWasSuccessful() && data.items.isWanted(tag)) {
              data.put(data.reader.readAgain(tag, result));
            }
          });
      data.told();
    }
  }

  // ---------------------------------------------------------------------------------- ending

  private void end(@Nullable MxGatewayException failure) {
    boolean isRegistered;
    synchronized (data) {
      isRegistered = data.items.isRegistered();
      data.error = failure;
      data.turn(SubscriptionState.CLOSED);
    }
    // From here on nobody interrupts: what was made in the session goes.
    Thread.interrupted();
    Session last = session;
    if (last == null) {
      return;
    }
    try {
      if (source.isOwned()) {
        last.close();
      } else if (isRegistered
          && !last.isClosed()
          && (failure == null || !ReconnectRules.saysSessionLost(failure))) {
        keeper.removeAll(
            last.with(CallOptions.timeout(source.connection().options.shutdownTimeout)));
      }
    } catch (MxGatewayException undone) {
      // The session ends with its lease; the subscription is over in any case.
      LOGGER.info("what a subscription had could not be removed: {}", undone.getMessage());
    }
  }
}
