package io.mxgateway.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.mxgateway.client.CallOptions;
import io.mxgateway.client.ConnectionBuilder;
import io.mxgateway.client.HierarchyFilter;
import io.mxgateway.client.OverflowPolicy;
import io.mxgateway.client.RetryPolicy;
import io.mxgateway.client.SessionOptions;
import io.mxgateway.client.StreamOptions;
import io.mxgateway.client.SubscriptionOptions;
import io.mxgateway.proto.BackpressurePolicy;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The arguments of a step. */
record Arguments(JsonObject given) {
  boolean has(String name) {
    return given.has(name) && !given.get(name).isJsonNull();
  }

  String text(String name) {
    return has(name) ? given.get(name).getAsString() : "";
  }

  boolean flag(String name) {
    return has(name) && given.get(name).getAsBoolean();
  }

  int number(String name) {
    return has(name) ? given.get(name).getAsInt() : 0;
  }

  long wide(String name) {
    return has(name) ? given.get(name).getAsLong() : 0;
  }

  @Nullable JsonElement element(String name) {
    return given.get(name);
  }

  Duration time(String name) {
    return has(name) ? duration(given.get(name).getAsDouble()) : Duration.ZERO;
  }

  static Duration duration(double seconds) {
    return Duration.ofNanos(BigDecimal.valueOf(seconds).movePointRight(9).longValue());
  }

  List<String> texts(String name) {
    List<String> found = new ArrayList<>();
    for (JsonElement each : list(name)) {
      found.add(each.getAsString());
    }
    return found;
  }

  List<Integer> numbers(String name) {
    List<Integer> found = new ArrayList<>();
    for (JsonElement each : list(name)) {
      found.add(each.getAsInt());
    }
    return found;
  }

  JsonArray list(String name) {
    return has(name) ? given.getAsJsonArray(name) : new JsonArray();
  }

  Map<String, String> map(String name) {
    Map<String, String> found = new LinkedHashMap<>();
    if (has(name)) {
      given
          .getAsJsonObject(name)
          .asMap()
          .forEach((key, value) -> found.put(key, value.getAsString()));
    }
    return found;
  }

  @SuppressWarnings("unchecked")
  <M extends Message> M message(String name, M prototype) {
    return (M) parsed(given.get(name), prototype.newBuilderForType());
  }

  static Message parsed(@Nullable JsonElement document, Message.Builder into) {
    if (document != null) {
      try {
        JsonFormat.parser().merge(document.toString(), into);
      } catch (InvalidProtocolBufferException broken) {
        throw new IllegalArgumentException(broken.getMessage(), broken);
      }
    }
    return into.build();
  }

  private void ifGiven(String name, Consumer<Duration> set) {
    if (has(name)) {
      set.accept(time(name));
    }
  }

  <C> ConnectionBuilder<C> applied(ConnectionBuilder<C> builder) {
    if (has("api_key")) {
      builder.apiKey(text("api_key"));
    }
    if (flag("plaintext")) {
      builder.plaintext();
    }
    if (has("ca_file")) {
      builder.caFile(Path.of(text("ca_file")));
    }
    if (has("server_name_override")) {
      builder.serverNameOverride(text("server_name_override"));
    }
    ifGiven("connect_timeout", builder::connectTimeout);
    ifGiven("call_timeout", builder::callTimeout);
    ifGiven("stream_timeout", builder::streamTimeout);
    ifGiven("shutdown_timeout", builder::shutdownTimeout);
    if (has("max_message_bytes")) {
      builder.maxMessageBytes(number("max_message_bytes"));
    }
    if (has("keepalive_time")) {
      builder.keepalive(
          time("keepalive_time"),
          has("keepalive_timeout") ? time("keepalive_timeout") : Duration.ofSeconds(10));
    }
    if (has("retry")) {
      Arguments retry = new Arguments(given.getAsJsonObject("retry"));
      RetryPolicy usual = RetryPolicy.DEFAULT;
      builder.retry(
          new RetryPolicy(
              retry.has("max_attempts") ? retry.number("max_attempts") : usual.maxAttempts(),
              retry.has("initial_delay") ? retry.time("initial_delay") : usual.initialDelay(),
              retry.has("max_delay") ? retry.time("max_delay") : usual.maxDelay()));
    }
    return builder;
  }

  CallOptions call() {
    return new CallOptions(
        has("timeout") ? time("timeout") : null,
        has("correlation_id") ? text("correlation_id") : null,
        has("client_handle")
            ? List.of((int) wide("client_handle"))
            : list("client_handles").asList().stream()
                .map(each -> (int) each.getAsLong())
                .toList());
  }

  SessionOptions session() {
    SessionOptions options =
        new SessionOptions()
            .name(text("client_session_name"))
            .backend(text("requested_backend"))
            .backendOptions(map("backend_options"))
            .correlationId(text("correlation_id"));
    if (has("backpressure_policy")) {
      options.backpressure(BackpressurePolicy.valueOf(text("backpressure_policy")));
    }
    ifGiven("command_timeout", options::commandTimeout);
    return options;
  }

  StreamOptions stream() {
    StreamOptions options = new StreamOptions();
    if (has("after_worker_sequence")) {
      options.after(Long.parseUnsignedLong(text("after_worker_sequence")));
    }
    if (flag("from_beginning")) {
      options.fromBeginning();
    }
    if (flag("recover_gaps")) {
      options.recoverGaps();
    }
    if (has("backpressure_policy")) {
      options.backpressure(BackpressurePolicy.valueOf(text("backpressure_policy")));
    }
    ifGiven("timeout", options::timeout);
    return options;
  }

  SubscriptionOptions subscription() {
    SubscriptionOptions options = new SubscriptionOptions().inSession(session());
    if (has("queue_size")) {
      options.queueSize(number("queue_size"));
    }
    if (has("overflow")) {
      options.overflow(OverflowPolicy.valueOf(text("overflow").toUpperCase(Locale.ROOT)));
    }
    if (flag("supervisory")) {
      options.supervisory();
    }
    if (has("reconnect") && !flag("reconnect")) {
      options.withoutReconnect();
    }
    ifGiven("first_delay", first -> options.reconnectDelays(first, Duration.ofSeconds(5)));
    return options;
  }

  HierarchyFilter filter() {
    HierarchyFilter filter =
        new HierarchyFilter()
            .categories(numbers("category_ids"))
            .templates(texts("template_chain_contains"))
            .tagNameGlob(text("tag_name_glob"));
    String root = text(has("parent") ? "parent" : "root");
    filter = root.isEmpty() ? filter : filter.root(root);
    filter = has("root_contained_path") ? filter.rootPath(text("root_contained_path")) : filter;
    filter = has("max_depth") ? filter.maxDepth(number("max_depth")) : filter;
    filter =
        has("include_attributes") && !flag("include_attributes")
            ? filter.withoutAttributes()
            : filter;
    filter = flag("alarm_bearing_only") ? filter.alarmBearingOnly() : filter;
    return flag("historized_only") ? filter.historizedOnly() : filter;
  }
}
