package io.mxgateway.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.mxgateway.client.Commands;
import io.mxgateway.client.EventStream;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxQuality;
import io.mxgateway.client.MxStatuses;
import io.mxgateway.client.MxValues;
import io.mxgateway.client.Session;
import io.mxgateway.client.SessionOptions;
import io.mxgateway.client.StreamOptions;
import io.mxgateway.proto.CloseSessionReply;
import io.mxgateway.proto.MxCommandReply;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.PingCommand;
import io.mxgateway.proto.SessionState;
import io.mxgateway.proto.WorkerInfoReply;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** Sessions and events. */
final class SessionWorks {
  static final Map<String, BiConsumer<Run, GatewayClient>> ALL =
      Map.of(
          "open-session", SessionWorks::open,
          "close-session", SessionWorks::close,
          "session-state", SessionWorks::state,
          "ping", SessionWorks::ping,
          "worker-info", SessionWorks::workerInfo,
          "stream-events", SessionWorks::stream,
          "drain-events", SessionWorks::drain);

  private SessionWorks() {}

  private static void open(Run run, GatewayClient client) {
    SessionOptions options =
        new SessionOptions()
            .name(Run.own(run.given.text("--client-session-name")))
            .backend(run.given.text("--backend"))
            // The next command is another process: the session outlives this one's connection.
            .keepWhenDisconnected();
    if (run.given.has("--command-timeout")) {
      options.commandTimeout(run.given.time("--command-timeout"));
    }
    Session session = client.openSession(options);
    if (session.isSimulated()) {
      run.program.note("the values are simulated");
    }
    run.print(session.raw(), "session " + session.id() + " on " + session.raw().getBackendName());
  }

  private static void close(Run run, GatewayClient client) {
    CloseSessionReply reply = run.session(client).closeWithReply();
    run.print(
        reply,
        "session "
            + run.given.text("--session-id")
            + " "
            + Run.words(reply.getFinalState(), "SESSION_STATE_"));
  }

  private static void state(Run run, GatewayClient client) {
    SessionState state = run.session(client).state();
    JsonObject document = new JsonObject();
    document.addProperty("sessionId", run.given.text("--session-id"));
    document.addProperty("state", state.name());
    run.print(document, List.of(Run.words(state, "SESSION_STATE_")));
  }

  private static void ping(Run run, GatewayClient client) {
    MxCommandReply reply =
        run.session(client)
            .invoke(
                Commands.of(
                    PingCommand.newBuilder().setMessage(run.given.text("--message")).build()));
    run.print(reply, reply.getDiagnosticMessage());
  }

  private static void workerInfo(Run run, GatewayClient client) {
    WorkerInfoReply info = run.session(client).workerInfo();
    run.print(
        info,
        "pid "
            + info.getWorkerProcessId()
            + ", version "
            + info.getWorkerVersion()
            + ", "
            + info.getMxaccessProgid());
  }

  private static void stream(Run run, GatewayClient client) {
    Follow follow = new Follow(run, "--max-events");
    JsonArray events;
    try (EventStream stream =
        run.session(client)
            .events(new StreamOptions().after(run.given.whole("--after-worker-sequence")))) {
      events = follow.collect(stream::next, SessionWorks::text);
    }
    if (run.given.has("--json")) {
      JsonObject document = new JsonObject();
      document.addProperty("sessionId", run.given.text("--session-id"));
      document.add("events", events);
      run.print(document, List.of());
    }
  }

  private static void drain(Run run, GatewayClient client) {
    List<MxEvent> events = run.session(client).drainEvents(run.given.whole("--max-events"));
    JsonObject document = new JsonObject();
    document.add("events", Documents.of(events));
    run.print(document, events.stream().map(SessionWorks::text).toList());
  }

  static String text(MxEvent event) {
    if (event.hasReplayGap()) {
      long dropped = event.getReplayGap().getDroppedEvents();
      return dropped != 0
          ? "gap: " + Long.toUnsignedString(dropped) + " events lost"
          : "gap: before "
              + Long.toUnsignedString(event.getReplayGap().getOldestAvailableSequence())
              + " lost";
    }
    List<String> parts =
        new ArrayList<>(
            List.of(
                Long.toUnsignedString(event.getWorkerSequence()),
                event.getFamily().name().replaceFirst("MX_EVENT_FAMILY_", ""),
                "item " + event.getItemHandle()));
    if (event.hasValue()) {
      parts.add(
          shown(MxValues.toJava(event.getValue())) + " " + MxQuality.name(event.getQuality()));
    }
    event.getStatusesList().forEach(each -> parts.add(MxStatuses.text(each)));
    return String.join("  ", parts);
  }

  static String shown(@org.jspecify.annotations.Nullable Object value) {
    return value instanceof byte[] bytes ? bytes.length + " bytes" : String.valueOf(value);
  }
}
