package io.mxgateway.cli;

import com.google.gson.JsonObject;
import io.mxgateway.client.EventStream;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxStatuses;
import io.mxgateway.client.MxTimeoutException;
import io.mxgateway.client.Session;
import io.mxgateway.client.SessionOptions;
import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxEventFamily;
import io.mxgateway.proto.MxStatusProxy;
import io.mxgateway.proto.MxValue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Opens a session, registers, adds and advises an item, takes some events, and closes. */
final class Smoke {
  private final Run run;
  private final Session session;
  private final @Nullable MxValue value;
  private final List<MxEvent> events = new ArrayList<>();
  private @Nullable MxEvent completion;
  private int server;
  private int item;

  private Smoke(Run run, Session session, @Nullable MxValue value) {
    this.run = run;
    this.session = session;
    this.value = value;
  }

  static void run(Run run, GatewayClient client) {
    MxValue value = run.given.has("--value") ? ItemWorks.value(run.given) : null;
    Session session =
        client.openSession(new SessionOptions().name(Run.own(run.given.text("--client-name"))));
    Smoke smoke = new Smoke(run, session, value);
    CloseSessionReply[] closed = {CloseSessionReply.getDefaultInstance()};
    try {
      smoke.round();
    } finally {
      Run.calmly(() -> closed[0] = session.closeWithReply());
    }
    smoke.report(closed[0]);
  }

  private void round() {
    server = session.register(Run.own(run.given.text("--client-name")));
    item = session.addItem(server, run.given.text("--item"));
    Duration limit = run.timeout().multipliedBy(8).dividedBy(10);
    long until = System.nanoTime() + limit.toNanos();
    long wanted = run.given.whole("--max-events");
    boolean wrote = false;
    try (EventStream stream = session.events()) {
      session.advise(server, item);
      while (events.size() < wanted || (value != null && completion == null)) {
        MxEvent event = stream.next(Duration.ofNanos(Math.max(until - System.nanoTime(), 1)));
        if (event == null) {
          throw new FailedCommand("the event stream ended");
        }
        if (event.getFamily() == MxEventFamily.MX_EVENT_FAMILY_ON_WRITE_COMPLETE) {
          completion = event;
        } else if (events.size() < wanted) {
          events.add(event);
        }
        if (value != null && !wrote) {
          wrote = true;
          session.write(server, item, value);
        }
      }
    } catch (MxTimeoutException late) {
      throw new FailedCommand(
          events.size()
              + " of "
              + wanted
              + " events came within "
              + Run.seconds(limit)
              + " (--timeout)");
    }
    session.unadvise(server, item);
    session.removeItem(server, item);
    session.unregister(server);
  }

  private void report(CloseSessionReply closed) {
    JsonObject document = new JsonObject();
    document.addProperty("language", "java");
    document.addProperty("operation", "smoke");
    document.addProperty("sessionId", session.id());
    document.addProperty("isSimulated", session.isSimulated());
    document.addProperty("serverHandle", server);
    document.addProperty("itemHandle", item);
    document.add("events", Documents.of(events));
    List<MxStatusProxy> judged = new ArrayList<>(events.get(events.size() - 1).getStatusesList());
    if (completion != null) {
      document.add("writeCompletion", Documents.of(completion));
      judged.addAll(completion.getStatusesList());
    }
    document.addProperty("closeStatus", closed.getFinalState().name());
    document.addProperty("keySource", run.keySource);
    List<String> lines = new ArrayList<>(events.stream().map(SessionWorks::text).toList());
    lines.add("session " + session.id() + " " + closed.getFinalState());
    run.print(document, lines);
    for (MxStatusProxy status : judged) {
      if (MxStatuses.isFailure(status)) {
        throw new FailedCommand(
            "the gateway works, but "
                + run.given.text("--item")
                + " does not: "
                + MxStatuses.text(status));
      }
    }
  }
}
