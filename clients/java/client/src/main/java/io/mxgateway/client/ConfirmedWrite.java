package io.mxgateway.client;

import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxEventFamily;
import io.mxgateway.proto.MxStatusCategory;
import io.mxgateway.proto.MxValue;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes a tag by name and waits for the outcome. */
final class ConfirmedWrite {
  private static final Logger LOGGER = LoggerFactory.getLogger(ConfirmedWrite.class);

  private final Session session;
  private final String tag;
  private final @Nullable Object value;
  private final ConfirmOptions options;
  private final long until;
  private boolean isSent;

  ConfirmedWrite(Session session, String tag, @Nullable Object value, ConfirmOptions options) {
    this.session = session;
    this.tag = tag;
    this.value = value;
    this.options = options;
    this.until = System.nanoTime() + options.timeout.toNanos();
  }

  WriteOutcome run() {
    int handle = options.serverHandle;
    boolean isOwn = handle == 0;
    if (isOwn) {
      handle = limited().register("write " + tag);
    }
    try {
      return confirm(handle);
    } finally {
      if (isOwn) {
        int own = handle;
        cleanUp("a write's registration could not be ended", tidy -> tidy.unregister(own));
      }
    }
  }

  private WriteOutcome confirm(int handle) {
    try (EventStream events = session.events(new StreamOptions().timeout(left()))) {
      int item = limited().addItem(handle, tag);
      try {
        return write(handle, item, events);
      } finally {
        cleanUp(
            "a written item could not be removed",
            tidy -> tidy.unsubscribeBulk(handle, List.of(item)));
      }
    } catch (MxTimeoutException late) {
      if (left().compareTo(Duration.ofMillis(2)) > 0) {
        throw late;
      }
      throw Failure.of(
          ErrorKind.TIMEOUT,
          tag
              + ": "
              + (isSent
                  ? "OnWriteComplete did not come; the outcome is unknown"
                  : "no value came, nothing was written")
              + " within "
              + ConnectionOptions.seconds(options.timeout));
    }
  }

  private WriteOutcome write(int handle, int item, EventStream events) {
    if (session.core().has(Contract.CAPABILITY_EVENT_BATCHES)) {
      // Beside another stream it gets only what comes once it stands, and this gateway tells when.
      awaitOpened(events);
    }
    if (options.isSupervisory) {
      limited().adviseSupervisory(handle, item);
    } else {
      limited().advise(handle, item);
    }
    MxEvent before = await(events, item, MxEventFamily.MX_EVENT_FAMILY_ON_DATA_CHANGE);
    check(before, tag + " cannot be written: its first value has failed");
    MxValue sent = MxValues.of(chosen(before));
    isSent = true;
    if (options.verifierId != null) {
      limited().writeSecured(handle, item, options.userId, options.verifierId, sent);
    } else {
      limited().write(handle, item, sent, options.userId);
    }
    MxEvent completion = await(events, item, MxEventFamily.MX_EVENT_FAMILY_ON_WRITE_COMPLETE);
    check(completion, "writing " + tag + " failed");
    return new WriteOutcome(tag, sent, before, completion);
  }

  @SuppressWarnings("unchecked")
  private @Nullable Object chosen(MxEvent before) {
    return value instanceof Function<?, ?> choose
        ? ((Function<MxEvent, Object>) choose).apply(before)
        : value;
  }

  private void awaitOpened(EventStream events) {
    try {
      events.openedAtOnce().get(left().toNanos(), java.util.concurrent.TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw CallFuture.cancelled(interrupted);
    } catch (TimeoutException | java.util.concurrent.ExecutionException late) {
      throw Failure.of(ErrorKind.TIMEOUT, "the event stream was not opened");
    }
  }

  /** Waits for an event of an item; a completion that is pending announces another one. */
  private MxEvent await(EventStream events, int item, MxEventFamily family) {
    while (true) {
      MxEvent event = events.next(left());
      if (event == null) {
        throw Failure.of(ErrorKind.TIMEOUT, "the event stream ended");
      }
      if (event.getFamily() != family || event.getItemHandle() != item) {
        continue;
      }
      boolean isPending =
          family == MxEventFamily.MX_EVENT_FAMILY_ON_WRITE_COMPLETE
              && event.getStatusesList().stream()
                  .anyMatch(
                      each -> each.getCategory() == MxStatusCategory.MX_STATUS_CATEGORY_PENDING);
      if (!isPending) {
        return event;
      }
    }
  }

  private static void check(MxEvent event, String text) {
    List<String> failed = MxStatuses.failures(event.getStatusesList());
    if (!failed.isEmpty()) {
      Failure failure =
          new Failure(ErrorKind.MXACCESS, text + ": " + String.join(", ", failed))
              .outcome(event.hasHresult() ? event.getHresult() : null, event.getStatusesList());
      failure.reply = event;
      throw failure.exception();
    }
  }

  private Duration left() {
    return Duration.ofNanos(Math.max(until - System.nanoTime(), 1));
  }

  private Session limited() {
    return session.with(CallOptions.timeout(left()));
  }

  /** Also after an interrupt: what was made for the write goes. */
  private void cleanUp(String otherwise, java.util.function.Consumer<Session> work) {
    boolean isInterrupted = Thread.interrupted();
    try {
      work.accept(
          session.with(CallOptions.timeout(session.core().connection.options.shutdownTimeout)));
    } catch (MxGatewayException failure) {
      LOGGER.info("{}: {}", otherwise, failure.getMessage());
    } finally {
      if (isInterrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
