package io.mxgateway.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.Duration;
import io.mxgateway.client.CorrelationIds;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MessageStream;
import io.mxgateway.client.MxStatuses;
import io.mxgateway.proto.AcknowledgeAlarmReply;
import io.mxgateway.proto.AcknowledgeAlarmRequest;
import io.mxgateway.proto.ActiveAlarmSnapshot;
import io.mxgateway.proto.AlarmFeedMessage;
import io.mxgateway.proto.AlarmOrder;
import io.mxgateway.proto.OnAlarmTransitionEvent;
import io.mxgateway.proto.QueryActiveAlarmsRequest;
import io.mxgateway.proto.StreamAlarmsRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** Alarms. */
final class AlarmWorks {
  static final Map<String, BiConsumer<Run, GatewayClient>> ALL =
      Map.of(
          "query-active-alarms", AlarmWorks::query,
          "stream-alarms", AlarmWorks::stream,
          "acknowledge-alarm", AlarmWorks::acknowledge);
  private static final int WAIT_SECONDS = 3;

  private AlarmWorks() {}

  private static void query(Run run, GatewayClient client) {
    JsonArray alarms = new JsonArray();
    List<String> lines = new ArrayList<>();
    QueryActiveAlarmsRequest request =
        QueryActiveAlarmsRequest.newBuilder()
            .setClientCorrelationId(CorrelationIds.next())
            .setAlarmFilterPrefix(run.given.text("--filter-prefix"))
            .setLimit(run.given.handle("--limit"))
            .setOrder(AlarmOrder.ALARM_ORDER_PRIORITY)
            .build();
    try (MessageStream<ActiveAlarmSnapshot> stream = client.queryActiveAlarms(request)) {
      ActiveAlarmSnapshot alarm;
      while ((alarm = stream.next()) != null) {
        alarms.add(Documents.of(alarm));
        lines.add(text(alarm.getAlarmFullReference(), alarm.getSeverity(), alarm.getDescription()));
      }
    }
    JsonObject document = new JsonObject();
    document.add("alarms", alarms);
    run.print(document, lines);
  }

  private static String text(String reference, int severity, String description) {
    return reference + "\tseverity " + severity + "\t" + description;
  }

  private static String text(AlarmFeedMessage message) {
    if (message.hasActiveAlarm()) {
      ActiveAlarmSnapshot alarm = message.getActiveAlarm();
      return "active\t"
          + text(alarm.getAlarmFullReference(), alarm.getSeverity(), alarm.getDescription());
    }
    if (message.hasTransition()) {
      OnAlarmTransitionEvent change = message.getTransition();
      return Run.words(change.getTransitionKind(), "ALARM_TRANSITION_KIND_")
          + "\t"
          + text(change.getAlarmFullReference(), change.getSeverity(), change.getDescription());
    }
    return Documents.compact(Documents.of(message));
  }

  private static void stream(Run run, GatewayClient client) {
    Follow follow = new Follow(run, "--max-messages");
    StreamAlarmsRequest request =
        StreamAlarmsRequest.newBuilder()
            .setClientCorrelationId(CorrelationIds.next())
            .setAlarmFilterPrefix(run.given.text("--filter-prefix"))
            .build();
    JsonArray messages;
    try (MessageStream<AlarmFeedMessage> stream = client.streamAlarms(request)) {
      messages =
          follow.collect(
              limit -> limit == null ? stream.next() : stream.next(limit), AlarmWorks::text);
    }
    if (run.given.has("--json")) {
      JsonObject document = new JsonObject();
      document.add("messages", messages);
      run.print(document, List.of());
    }
  }

  private static void acknowledge(Run run, GatewayClient client) {
    if (run.given.all("--reference").size() != 1) {
      throw new UsageException("give one --reference");
    }
    AcknowledgeAlarmReply reply =
        client.acknowledgeAlarm(
            AcknowledgeAlarmRequest.newBuilder()
                .setClientCorrelationId(CorrelationIds.next())
                .setAlarmFullReference(run.given.text("--reference"))
                .setComment(run.given.text("--comment"))
                .setOperatorUser(run.given.text("--operator"))
                .setWaitForTransition(
                    Duration.newBuilder().setSeconds(run.given.has("--no-wait") ? 0 : WAIT_SECONDS))
                .build());
    String outcome = Run.words(reply.getOutcome(), "ALARM_ACK_OUTCOME_");
    run.print(reply, (outcome + " " + reply.getAlarmFullReference()).strip());
    boolean isDone =
        switch (reply.getOutcome()) {
          case ALARM_ACK_OUTCOME_ACKNOWLEDGED,
              ALARM_ACK_OUTCOME_ACCEPTED,
              ALARM_ACK_OUTCOME_ALREADY_ACKNOWLEDGED ->
              true;
          // The original gateway says no outcome; its HRESULT does.
          case ALARM_ACK_OUTCOME_UNSPECIFIED ->
              reply.getHresult() >= 0 && !MxStatuses.isFailure(reply.getStatus());
          default -> false;
        };
    if (!isDone) {
      throw FailedCommand.silent();
    }
  }
}
