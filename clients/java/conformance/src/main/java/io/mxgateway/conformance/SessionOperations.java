package io.mxgateway.conformance;

import static io.mxgateway.conformance.PureOperations.answer;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.Message;
import io.mxgateway.cli.Times;
import io.mxgateway.client.AsyncSession;
import io.mxgateway.client.ConfirmOptions;
import io.mxgateway.client.SecuredEntry;
import io.mxgateway.client.Session;
import io.mxgateway.client.WriteEntry;
import io.mxgateway.client.WriteOutcome;
import io.mxgateway.conformance.Subject.UnsupportedStep;
import io.mxgateway.proto.MxCommand;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Operations on a session. */
final class SessionOperations {
  private SessionOperations() {}

  static @Nullable JsonElement run(Session session, String name, Arguments a) {
    if (name.endsWith("_bulk")) {
      return answer("results", Subject.list(bulk(session, name, a)));
    }
    return switch (name) {
      case "state" -> answer("state", session.state().name());
      case "burst" -> answer("p50_ms", burst(session, a));
      case "ping" -> answer("message", session.ping(a.text("message")));
      case "worker_info" -> Subject.json(session.workerInfo());
      case "drain_events" ->
          answer("events", Subject.list(session.drainEvents(a.wide("max_events"))));
      case "shutdown_worker" -> done(() -> session.shutdownWorker(a.time("grace_period")));
      case "inject_fault" -> done(() -> session.injectFault(a.text("fault"), a.map("parameters")));
      case "invoke" ->
          Subject.json(session.invoke(a.message("command", MxCommand.getDefaultInstance())));
      case "invoke_raw" ->
          Subject.json(session.invokeRaw(a.message("command", MxCommand.getDefaultInstance())));
      case "authenticate_user" ->
          answer(
              "user_id",
              session.authenticateUser(
                  a.number("server_handle"),
                  a.text("verify_user"),
                  a.text("verify_user_password")));
      case "archestra_user_to_id" ->
          answer(
              "user_id",
              session.archestraUserToId(a.number("server_handle"), a.text("user_id_guid")));
      default -> items(session, name, a);
    };
  }

  private static @Nullable JsonElement done(Runnable work) {
    work.run();
    return null;
  }

  /** So many pings or reads, some of them under way at once; the median of how long one took. */
  private static double burst(Session session, Arguments a) {
    int count = Math.toIntExact(a.wide("count"));
    int atOnce = a.number("at_once");
    int server = a.number("server_handle");
    List<String> tags = a.texts("tag_addresses");
    double[] took = new double[count];
    if (atOnce == 1) {
      // The way of a program that makes one call after the other.
      for (int number = 0; number < count; number++) {
        long began = System.nanoTime();
        if (tags.isEmpty()) {
          session.ping("x");
        } else {
          session.readBulk(server, tags);
        }
        took[number] = (System.nanoTime() - began) / 1e6;
      }
    } else {
      Semaphore room = new Semaphore(atOnce);
      AtomicReference<Throwable> failure = new AtomicReference<>();
      for (int next = 0; next < count && failure.get() == null; next++) {
        int number = next;
        room.acquireUninterruptibly();
        long began = System.nanoTime();
        AsyncSession calls = session.asynchronous();
        CompletableFuture<?> call =
            tags.isEmpty() ? calls.ping("x") : calls.readBulk(server, tags, Duration.ZERO);
        call.whenComplete(
            (answer, failed) -> {
              took[number] = (System.nanoTime() - began) / 1e6;
              if (failed != null) {
                failure.set(failed);
              }
              room.release();
            });
      }
      room.acquireUninterruptibly(atOnce);
      if (failure.get() instanceof RuntimeException thrown) {
        throw thrown;
      }
    }
    Arrays.sort(took);
    return took[count / 2];
  }

  private static @Nullable JsonElement items(Session session, String name, Arguments a) {
    int server = a.number("server_handle");
    int item = a.number("item_handle");
    return switch (name) {
      case "register" -> answer("server_handle", session.register(a.text("client_name")));
      case "unregister" -> done(() -> session.unregister(server));
      case "add_item" -> answer("item_handle", session.addItem(server, a.text("item_definition")));
      case "add_item2" ->
          answer(
              "item_handle",
              session.addItem2(server, a.text("item_definition"), a.text("item_context")));
      case "add_buffered_item" ->
          answer(
              "item_handle",
              session.addBufferedItem(server, a.text("item_definition"), a.text("item_context")));
      case "remove_item" -> done(() -> session.removeItem(server, item));
      case "advise" -> done(() -> session.advise(server, item));
      case "advise_supervisory" -> done(() -> session.adviseSupervisory(server, item));
      case "unadvise" -> done(() -> session.unadvise(server, item));
      case "suspend" -> answer("status", Subject.json(session.suspend(server, item)));
      case "activate" -> answer("status", Subject.json(session.activate(server, item)));
      case "set_buffered_update_interval" ->
          done(
              () ->
                  session.setBufferedUpdateInterval(
                      server, a.number("update_interval_milliseconds")));
      default -> write(session, name, a);
    };
  }

  private static @Nullable Object moment(Arguments a) {
    return a.has("timestamp") ? Times.parse(a.text("timestamp")) : null;
  }

  private static @Nullable JsonElement write(Session session, String name, Arguments a) {
    int server = a.number("server_handle");
    int item = a.number("item_handle");
    int user = a.number("user_id");
    int current = a.number("current_user_id");
    int verifier = a.number("verifier_user_id");
    Object value = NativeValues.of(a.element("value"));
    Object moment = moment(a);
    return switch (name) {
      case "write" -> done(() -> session.write(server, item, value, user));
      case "write2" -> done(() -> session.write2(server, item, value, moment, user));
      case "write_secured" ->
          done(() -> session.writeSecured(server, item, current, verifier, value));
      case "write_secured2" ->
          done(() -> session.writeSecured2(server, item, current, verifier, value, moment));
      case "write_and_confirm" -> confirm(session, value, a);
      default -> throw new UnsupportedStep();
    };
  }

  private static JsonElement confirm(Session session, @Nullable Object value, Arguments a) {
    ConfirmOptions options =
        new ConfirmOptions().serverHandle(a.number("server_handle")).user(a.number("user_id"));
    if (a.has("verifier_id")) {
      options.verifier(a.number("verifier_id"));
    }
    if (a.flag("supervisory")) {
      options.supervisory();
    }
    if (a.has("timeout")) {
      options.timeout(a.time("timeout"));
    }
    WriteOutcome outcome = session.writeAndConfirm(a.text("tag"), value, options);
    JsonObject said = answer("value", Subject.json(outcome.value()));
    said.add("before", Subject.json(outcome.before()));
    said.add("completion", Subject.json(outcome.completion()));
    return said;
  }

  private static List<? extends Message> bulk(Session session, String name, Arguments a) {
    int server = a.number("server_handle");
    List<String> tags = a.texts("tag_addresses");
    List<Integer> items = a.numbers("item_handles");
    switch (name) {
      case "add_item_bulk":
        return session.addItemBulk(server, tags);
      case "subscribe_bulk":
        return session.subscribeBulk(server, tags);
      case "advise_item_bulk":
        return session.adviseItemBulk(server, items);
      case "unadvise_item_bulk":
        return session.unadviseItemBulk(server, items);
      case "remove_item_bulk":
        return session.removeItemBulk(server, items);
      case "unsubscribe_bulk":
        return session.unsubscribeBulk(server, items);
      case "read_bulk":
        return session.readBulk(server, tags, Duration.ofMillis(a.wide("timeout_ms")));
      default:
        return writes(session, name, a);
    }
  }

  private static List<? extends Message> writes(Session session, String name, Arguments a) {
    List<WriteEntry> plain = new ArrayList<>();
    List<SecuredEntry> secured = new ArrayList<>();
    for (JsonElement each : a.list("entries")) {
      Arguments entry = new Arguments(each.getAsJsonObject());
      Object value = NativeValues.of(entry.element("value"));
      Object moment = moment(entry);
      plain.add(
          new WriteEntry(entry.number("item_handle"), value, moment, entry.number("user_id")));
      secured.add(
          new SecuredEntry(
              entry.number("item_handle"),
              entry.number("current_user_id"),
              entry.number("verifier_user_id"),
              value,
              moment));
    }
    int server = a.number("server_handle");
    int user = a.number("user_id");
    return switch (name) {
      case "write_bulk" -> session.writeBulk(server, plain, user);
      case "write2_bulk" -> session.write2Bulk(server, plain, user);
      case "write_secured_bulk" -> session.writeSecuredBulk(server, secured);
      case "write_secured2_bulk" -> session.writeSecured2Bulk(server, secured);
      default -> throw new UnsupportedStep();
    };
  }
}
