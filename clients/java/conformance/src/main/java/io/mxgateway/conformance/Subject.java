package io.mxgateway.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonSyntaxException;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.mxgateway.cli.Documents;
import io.mxgateway.client.CommandException;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxGatewayException;
import io.mxgateway.client.Subscription;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * Does what lines of JSON say, and answers with lines of JSON; each operation in a thread of its
 * own.
 */
public final class Subject {
  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().preservingProtoFieldNames().omittingInsignificantWhitespace();

  private final PrintStream output;
  private final Map<String, Object> objects = new HashMap<>();
  private final List<Object> order = new ArrayList<>();
  private final Map<String, Thread> running = new ConcurrentHashMap<>();
  private final ExecutorService threads =
      Executors.newCachedThreadPool(
          task -> {
            Thread thread = new Thread(task, "step");
            thread.setDaemon(true);
            return thread;
          });

  private Subject(PrintStream output) {
    this.output = output;
  }

  /** An operation that the subject does not know. */
  static final class UnsupportedStep extends RuntimeException {}

  /** What an operation gives: an object that it makes, and its answer. */
  record Outcome(@Nullable Object made, @Nullable JsonElement answer) {
    static Outcome made(Object object) {
      return new Outcome(object, null);
    }

    static Outcome of(@Nullable JsonElement answer) {
      return new Outcome(null, answer);
    }
  }

  /**
   * Runs until the end of stdin.
   *
   * @param arguments none
   * @throws IOException stdin cannot be read
   */
  public static void main(String[] arguments) throws IOException {
    Subject subject = new Subject(new PrintStream(System.out, false, StandardCharsets.UTF_8));
    JsonObject first = new JsonObject();
    first.addProperty("language", "java");
    first.addProperty("version", GatewayClient.VERSION);
    JsonArray features = new JsonArray();
    features.add("subscriptions");
    first.add("features", features);
    subject.say(first);
    BufferedReader input =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String line;
    while ((line = input.readLine()) != null) {
      try {
        JsonObject step = JsonParser.parseString(line).getAsJsonObject();
        subject.threads.execute(() -> subject.run(step));
      } catch (JsonSyntaxException broken) {
        System.err.println("no step: " + broken.getMessage());
      }
    }
    subject.reset();
    System.exit(0);
  }

  private void run(JsonObject step) {
    JsonElement id = step.get("id");
    JsonObject said = new JsonObject();
    said.add("id", id);
    running.put(id.toString(), Thread.currentThread());
    try {
      JsonElement answer = operation(step);
      said.add("ok", answer == null ? new JsonObject() : answer);
    } catch (UnsupportedStep unknown) {
      said.addProperty("unsupported", true);
    } catch (RuntimeException | Error failure) {
      said.add("error", error(failure));
    } finally {
      running.remove(id.toString());
      Thread.interrupted();
    }
    say(said);
  }

  private synchronized void say(JsonObject document) {
    output.println(Documents.compact(document));
    output.flush();
  }

  private @Nullable JsonElement operation(JsonObject step) {
    Arguments arguments =
        new Arguments(step.has("args") ? step.getAsJsonObject("args") : new JsonObject());
    String name = step.get("op").getAsString();
    switch (name) {
      case "cancel" -> {
        Thread thread = running.get(String.valueOf(arguments.element("id")));
        if (thread != null) {
          thread.interrupt();
        }
        return null;
      }
      case "reset" -> {
        reset();
        return null;
      }
      case "drop" -> {
        synchronized (objects) {
          objects.remove(step.get("on").getAsString());
        }
        return null;
      }
      default -> {}
    }
    var pure = PureOperations.ALL.get(name);
    if (pure != null) {
      return pure.apply(arguments);
    }
    Object on;
    synchronized (objects) {
      on = step.has("on") ? objects.get(step.get("on").getAsString()) : null;
    }
    Outcome outcome = Operations.run(on, name, arguments);
    if (outcome.made() != null && step.has("as")) {
      synchronized (objects) {
        objects.put(step.get("as").getAsString(), outcome.made());
        order.add(outcome.made());
      }
    }
    return outcome.answer();
  }

  /** Closes whatever the case has made, the youngest first. */
  private void reset() {
    List<Object> made;
    synchronized (objects) {
      made = new ArrayList<>(order);
      order.clear();
      objects.clear();
    }
    running
        .values()
        .forEach(
            thread -> {
              if (thread != Thread.currentThread()) {
                thread.interrupt();
              }
            });
    Collections.reverse(made);
    for (Object each : made) {
      if (each instanceof Subscription subscription) {
        // Its session may be one that the case holds.
        threads.execute(subscription::close);
      } else if (each instanceof AutoCloseable closeable
          && !(each instanceof io.mxgateway.client.Session)) {
        try {
          closeable.close();
        } catch (Exception failure) {
          System.err.println("closing failed: " + failure.getMessage());
        }
      }
    }
  }

  /** A failure in the words of the suite. */
  static JsonObject error(Throwable failure) {
    JsonObject found = new JsonObject();
    if (failure instanceof CancellationException) {
      found.addProperty("cancelled", true);
      return found;
    }
    found.addProperty("message", String.valueOf(failure.getMessage()));
    if (failure instanceof IllegalArgumentException) {
      found.addProperty("kind", "argument");
      return found;
    }
    if (!(failure instanceof MxGatewayException known)) {
      found.addProperty("kind", failure.getClass().getName());
      failure.printStackTrace();
      return found;
    }
    String kind =
        known.getClass().getSimpleName().replace("Exception", "").toLowerCase(Locale.ROOT);
    found.addProperty("kind", kind.equals("mxtimeout") ? "timeout" : kind);
    found.addProperty("reason", known.reason());
    found.addProperty("retryable", known.isRetryable());
    found.addProperty("correlation_id", known.correlationId());
    known.code().ifPresent(code -> found.addProperty("code", code.name()));
    if (!known.retryAfter().isZero()) {
      found.addProperty("retry_after", known.retryAfter().toNanos() / 1e9);
    }
    known.hresult().ifPresent(hresult -> found.addProperty("hresult", hresult));
    if (known instanceof CommandException) {
      found.add("statuses", list(known.statuses()));
    }
    return found;
  }

  static JsonElement json(Message message) {
    try {
      return JsonParser.parseString(PRINTER.print(message));
    } catch (InvalidProtocolBufferException broken) {
      JsonObject none = new JsonObject();
      none.addProperty("no JSON", String.valueOf(broken.getMessage()));
      return none;
    }
  }

  static JsonArray list(List<? extends Message> messages) {
    JsonArray array = new JsonArray();
    messages.forEach(message -> array.add(json(message)));
    return array;
  }
}
