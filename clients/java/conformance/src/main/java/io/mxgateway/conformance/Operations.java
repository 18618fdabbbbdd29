package io.mxgateway.conformance;

import static io.mxgateway.conformance.PureOperations.answer;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.Message;
import io.mxgateway.cli.Times;
import io.mxgateway.client.DataChange;
import io.mxgateway.client.EventBatch;
import io.mxgateway.client.EventStream;
import io.mxgateway.client.GalaxyClient;
import io.mxgateway.client.GalaxyNode;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MessageStream;
import io.mxgateway.client.Session;
import io.mxgateway.client.Subscription;
import io.mxgateway.client.SubscriptionState;
import io.mxgateway.client.SubscriptionStats;
import io.mxgateway.conformance.Subject.Outcome;
import io.mxgateway.conformance.Subject.UnsupportedStep;
import io.mxgateway.proto.AcknowledgeAlarmRequest;
import io.mxgateway.proto.AcknowledgeAlarmsRequest;
import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.CloseSessionRequest;
import io.mxgateway.proto.MxCommandRequest;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxValue;
import io.mxgateway.proto.OpenSessionRequest;
import io.mxgateway.proto.QueryActiveAlarmsRequest;
import io.mxgateway.proto.StreamAlarmsRequest;
import io.mxgateway.proto.galaxy.GalaxyObject;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Operations on the objects of a case. */
final class Operations {
  private Operations() {}

  /** The nodes of a level. */
  record Nodes(List<GalaxyNode> nodes) {}

  /** The hierarchy as a stream. */
  record Objects(Iterator<GalaxyObject> objects) {}

  static Outcome run(@Nullable Object on, String name, Arguments a) {
    switch (name) {
      case "connect" -> {
        return Outcome.made(a.applied(GatewayClient.builder(a.text("endpoint"))).connect());
      }
      case "connect_lazy" -> {
        return Outcome.made(a.applied(GatewayClient.builder(a.text("endpoint"))).connectLazily());
      }
      case "connect_galaxy" -> {
        return Outcome.made(a.applied(GalaxyClient.builder(a.text("endpoint"))).connect());
      }
      default -> {}
    }
    if (on instanceof GatewayClient client) {
      return onClient(client, name, a);
    }
    if (on instanceof Session session) {
      return onSession(session, name, a);
    }
    if (on instanceof EventStream events) {
      return Outcome.of(onEvents(events, name, a));
    }
    if (on instanceof Subscription subscription) {
      return Outcome.of(onSubscription(subscription, name, a));
    }
    if (on instanceof GalaxyClient galaxy) {
      return onGalaxy(galaxy, name, a);
    }
    if (on instanceof Nodes nodes) {
      return Outcome.of(expand(nodes.nodes, a));
    }
    if (on instanceof MessageStream<?> stream) {
      if (name.equals("close")) {
        stream.close();
        return Outcome.of(null);
      }
      return Outcome.of(taken(a, () -> (Message) stream.next()));
    }
    if (on instanceof Objects objects) {
      return name.equals("close")
          ? Outcome.of(null)
          : Outcome.of(taken(a, () -> objects.objects.hasNext() ? objects.objects.next() : null));
    }
    throw new UnsupportedStep();
  }

  private static Outcome onClient(GatewayClient client, String name, Arguments a) {
    return switch (name) {
      case "close" -> {
        client.close();
        yield Outcome.of(null);
      }
      case "connection_state" ->
          Outcome.of(answer("state", client.connectionState().name().toLowerCase(Locale.ROOT)));
      case "open_session" -> {
        Session session = client.openSession(a.session());
        JsonObject said = answer("session_id", session.id());
        JsonArray capabilities = new JsonArray();
        session.capabilities().stream().sorted().forEach(capabilities::add);
        said.add("capabilities", capabilities);
        yield new Outcome(session, said);
      }
      case "attach_session" ->
          Outcome.made(client.attachSession(a.text("session_id"), a.texts("capabilities")));
      case "open_session_raw" ->
          message(
              client.openSessionRaw(a.message("request", OpenSessionRequest.getDefaultInstance())));
      case "close_session_raw" ->
          message(
              client.closeSessionRaw(
                  a.message("request", CloseSessionRequest.getDefaultInstance())));
      case "invoke" ->
          message(client.invoke(a.message("request", MxCommandRequest.getDefaultInstance())));
      case "invoke_raw" ->
          message(client.invokeRaw(a.message("request", MxCommandRequest.getDefaultInstance())));
      case "acknowledge_alarm" ->
          message(
              client.acknowledgeAlarm(
                  a.message("request", AcknowledgeAlarmRequest.getDefaultInstance())));
      case "acknowledge_alarms" ->
          message(
              client.acknowledgeAlarms(
                  a.message("request", AcknowledgeAlarmsRequest.getDefaultInstance())));
      case "query_active_alarms" ->
          Outcome.made(
              client.queryActiveAlarms(
                  a.message("request", QueryActiveAlarmsRequest.getDefaultInstance())));
      case "stream_alarms" ->
          Outcome.made(
              client.streamAlarms(a.message("request", StreamAlarmsRequest.getDefaultInstance())));
      case "subscribe" -> Outcome.made(client.subscribe(a.texts("tags"), a.subscription()));
      default -> throw new UnsupportedStep();
    };
  }

  static Outcome message(Message reply) {
    return Outcome.of(Subject.json(reply));
  }

  private static Outcome onSession(Session session, String name, Arguments a) {
    return switch (name) {
      case "stream_events" -> Outcome.made(session.events(a.stream()));
      case "subscribe" -> Outcome.made(session.subscribe(a.texts("tags"), a.subscription()));
      case "close" -> message(session.closeWithReply());
      default -> Outcome.of(SessionOperations.run(session.with(a.call()), name, a));
    };
  }

  // --------------------------------------------------------------------------------- streams

  private static JsonObject taken(Arguments a, Supplier<@Nullable Message> next) {
    JsonArray items = new JsonArray();
    int count = 0;
    boolean isOver = false;
    while (count < Math.max(a.number("count"), 1)) {
      Message message = next.get();
      if (message == null) {
        isOver = true;
        break;
      }
      count++;
      if (!a.flag("discard")) {
        items.add(Subject.json(message));
      }
    }
    JsonObject said = answer("items", items);
    said.addProperty("taken", count);
    said.addProperty("end", isOver);
    return said;
  }

  private static @Nullable JsonElement onEvents(EventStream events, String name, Arguments a) {
    switch (name) {
      case "close" -> {
        events.close();
        return null;
      }
      case "next" -> {
        JsonObject said = taken(a, events::next);
        said.addProperty(
            "last_worker_sequence", Long.toUnsignedString(events.lastWorkerSequence()));
        said.addProperty("dropped_events", Long.toUnsignedString(events.droppedEvents()));
        return said;
      }
      case "take_all" -> {
        return taken(a.wide("count"), events);
      }
      case "next_batch" -> {
        EventBatch batch = events.nextBatch();
        if (batch == null) {
          return answer("end", true);
        }
        JsonObject said = answer("size", batch.events().size());
        said.addProperty(
            "last_worker_sequence", Long.toUnsignedString(events.lastWorkerSequence()));
        return said;
      }
      default -> throw new UnsupportedStep();
    }
  }

  /** So many events by the cheapest way, for the bench. */
  private static JsonElement taken(long count, EventStream events) {
    long taken = 0;
    while (taken < count) {
      EventBatch batch = events.nextBatch();
      if (batch == null) {
        break;
      }
      taken += batch.events().size();
    }
    return answer("taken", taken);
  }

  private static @Nullable JsonElement onSubscription(
      Subscription subscription, String name, Arguments a) {
    switch (name) {
      case "close" -> subscription.close();
      case "add" -> subscription.add(a.texts("tags"));
      case "remove" -> subscription.remove(a.texts("tags"));
      case "wait_state" ->
          subscription.awaitState(
              SubscriptionState.valueOf(a.text("state").toUpperCase(Locale.ROOT)), null);
      case "take_all" -> {
        long taken = 0;
        while (taken < a.wide("count") && subscription.next() != null) {
          taken++;
        }
        return answer("taken", taken);
      }
      case "stats" -> {
        return stats(subscription);
      }
      case "next" -> {
        return changes(subscription, a);
      }
      default -> throw new UnsupportedStep();
    }
    return null;
  }

  private static JsonElement stats(Subscription subscription) {
    SubscriptionStats stats = subscription.stats();
    JsonObject said = answer("state", subscription.state().name().toLowerCase(Locale.ROOT));
    JsonArray tags = new JsonArray();
    stats.tags().forEach(tags::add);
    said.add("tags", tags);
    JsonObject failures = new JsonObject();
    stats.failures().forEach(failures::addProperty);
    said.add("failures", failures);
    said.addProperty("gaps", stats.gaps());
    said.addProperty("lost", stats.lost());
    said.addProperty("dropped", stats.dropped());
    said.addProperty("interruptions", stats.interruptions());
    said.addProperty("new_sessions", stats.newSessions());
    said.addProperty("waiting", stats.waiting());
    return said;
  }

  private static JsonElement changes(Subscription subscription, Arguments a) {
    JsonArray changes = new JsonArray();
    boolean isOver = false;
    while (changes.size() < Math.max(a.number("count"), 1)) {
      DataChange change = subscription.next();
      if (change == null) {
        isOver = true;
        break;
      }
      MxValue source =
          change.raw() instanceof MxEvent event
              ? event.getValue()
              : ((BulkReadResult) change.raw()).getValue();
      JsonObject said = answer("tag", change.tag());
      said.add("value", NativeValues.tagged(change.value(), source));
      said.addProperty("quality", change.quality());
      said.addProperty("worker_sequence", Long.toUnsignedString(change.workerSequence()));
      said.addProperty("replayed", change.isReplayed());
      said.addProperty("recovered", change.isRecovered());
      said.addProperty("lost_before", change.lostBefore());
      changes.add(said);
    }
    JsonObject said = answer("changes", changes);
    said.addProperty("end", isOver);
    return said;
  }

  // ---------------------------------------------------------------------------------- galaxy

  private static Outcome onGalaxy(GalaxyClient galaxy, String name, Arguments a) {
    return switch (name) {
      case "close" -> {
        galaxy.close();
        yield Outcome.of(null);
      }
      case "connection_state" ->
          Outcome.of(answer("state", galaxy.connectionState().name().toLowerCase(Locale.ROOT)));
      case "test_connection" -> Outcome.of(answer("ok", galaxy.testConnection()));
      case "get_last_deploy_time" -> {
        var found = galaxy.lastDeployTime();
        JsonObject said = answer("present", found.isPresent());
        found.ifPresent(
            moment -> said.addProperty("time", moment.getEpochSecond() + moment.getNano() / 1e9));
        yield Outcome.of(said);
      }
      case "discover_hierarchy" ->
          Outcome.of(answer("objects", Subject.list(galaxy.discover(a.filter()))));
      case "iter_hierarchy" -> Outcome.made(new Objects(galaxy.objects(a.filter()).iterator()));
      case "browse" -> {
        List<GalaxyNode> nodes = galaxy.browse(a.filter());
        yield new Outcome(new Nodes(nodes), answer("children", children(nodes)));
      }
      case "watch_deploy_events" -> {
        Instant seen =
            a.has("last_seen_deploy_time")
                ? Times.instant(Times.parse(a.text("last_seen_deploy_time")))
                : null;
        yield Outcome.made(galaxy.watchDeployEvents(seen));
      }
      default -> throw new UnsupportedStep();
    };
  }

  private static JsonArray children(List<GalaxyNode> nodes) {
    JsonArray children = new JsonArray();
    for (GalaxyNode node : nodes) {
      JsonObject said = answer("object", Subject.json(node.object()));
      said.addProperty("has_children_hint", node.hasChildrenHint());
      said.addProperty("is_expanded", node.isExpanded());
      children.add(said);
    }
    return children;
  }

  private static JsonElement expand(List<GalaxyNode> nodes, Arguments a) {
    GalaxyNode node = nodes.get(a.number("index"));
    List<CompletableFuture<List<GalaxyNode>>> calls = new ArrayList<>();
    java.util.concurrent.ExecutorService threads =
        java.util.concurrent.Executors.newCachedThreadPool();
    try {
      for (int count = 0; count < Math.max(a.number("times"), 1); count++) {
        calls.add(CompletableFuture.supplyAsync(node::expand, threads));
      }
      calls.forEach(CompletableFuture::join);
      return answer("children", children(calls.get(0).join()));
    } catch (CompletionException failed) {
      if (failed.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw failed;
    } finally {
      threads.shutdown();
    }
  }
}
