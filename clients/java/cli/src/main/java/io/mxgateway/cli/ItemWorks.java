package io.mxgateway.cli;

import com.google.gson.JsonObject;
import com.google.protobuf.Message;
import io.mxgateway.client.Commands;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxStatuses;
import io.mxgateway.client.Session;
import io.mxgateway.proto.AdviseCommand;
import io.mxgateway.proto.AdviseSupervisoryCommand;
import io.mxgateway.proto.MxStatusProxy;
import io.mxgateway.proto.MxValue;
import io.mxgateway.proto.RemoveItemCommand;
import io.mxgateway.proto.SetBufferedUpdateIntervalCommand;
import io.mxgateway.proto.UnAdviseCommand;
import io.mxgateway.proto.UnregisterCommand;
import io.mxgateway.proto.Write2Command;
import io.mxgateway.proto.WriteCommand;
import io.mxgateway.proto.WriteSecured2Command;
import io.mxgateway.proto.WriteSecuredCommand;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** Items, writes by handle, and users. */
final class ItemWorks {
  static final Map<String, BiConsumer<Run, GatewayClient>> ALL = new HashMap<>();

  static {
    ALL.put("register", ItemWorks::register);
    for (String name : List.of("add-item", "add-item2", "add-buffered-item")) {
      ALL.put(name, ItemWorks::addItem);
    }
    ALL.put("suspend", ItemWorks::status);
    ALL.put("activate", ItemWorks::status);
    ALL.put("authenticate-user", ItemWorks::authenticate);
    ALL.put("archestra-user-to-id", ItemWorks::archestra);
    Map<String, Function<Given, Message>> plain =
        Map.of(
            "unregister",
            given -> UnregisterCommand.newBuilder().setServerHandle(server(given)).build(),
            "remove-item",
            given ->
                RemoveItemCommand.newBuilder()
                    .setServerHandle(server(given))
                    .setItemHandle(item(given))
                    .build(),
            "advise",
            given ->
                AdviseCommand.newBuilder()
                    .setServerHandle(server(given))
                    .setItemHandle(item(given))
                    .build(),
            "advise-supervisory",
            given ->
                AdviseSupervisoryCommand.newBuilder()
                    .setServerHandle(server(given))
                    .setItemHandle(item(given))
                    .build(),
            "unadvise",
            given ->
                UnAdviseCommand.newBuilder()
                    .setServerHandle(server(given))
                    .setItemHandle(item(given))
                    .build(),
            "set-buffered-update-interval",
            given ->
                SetBufferedUpdateIntervalCommand.newBuilder()
                    .setServerHandle(server(given))
                    .setUpdateIntervalMilliseconds(given.handle("--milliseconds"))
                    .build());
    plain.forEach((name, payload) -> ALL.put(name, invoking(payload, "ok")));
    Map<String, Function<Given, Message>> writes =
        Map.of(
            "write", ItemWorks::write,
            "write2", ItemWorks::write2,
            "write-secured", ItemWorks::writeSecured,
            "write-secured2", ItemWorks::writeSecured2);
    writes.forEach(
        (name, payload) ->
            ALL.put(name, invoking(payload, "sent; the outcome comes as OnWriteComplete")));
  }

  private ItemWorks() {}

  /** Runs a command of the generated messages and prints the reply. */
  private static BiConsumer<Run, GatewayClient> invoking(
      Function<Given, Message> payload, String text) {
    return (run, client) ->
        run.print(run.session(client).invoke(Commands.of(payload.apply(run.given))), text);
  }

  static int server(Given given) {
    return given.handle("--server-handle");
  }

  private static int item(Given given) {
    return given.handle("--item-handle");
  }

  private static JsonObject document(Run run) {
    JsonObject document = new JsonObject();
    document.addProperty("sessionId", run.given.text("--session-id"));
    return document;
  }

  private static void register(Run run, GatewayClient client) {
    int handle = run.session(client).register(Run.own(run.given.text("--client-name")));
    JsonObject document = document(run);
    document.addProperty("serverHandle", handle);
    run.print(document, List.of(String.valueOf(handle)));
  }

  private static void addItem(Run run, GatewayClient client) {
    Session session = run.session(client);
    int server = server(run.given);
    String item = run.given.text("--item");
    String context = run.given.text("--context");
    int handle =
        switch (run.command.name()) {
          case "add-item" -> session.addItem(server, item);
          case "add-item2" -> session.addItem2(server, item, context);
          default -> session.addBufferedItem(server, item, context);
        };
    JsonObject document = document(run);
    document.addProperty("serverHandle", server);
    document.addProperty("itemHandle", handle);
    run.print(document, List.of(String.valueOf(handle)));
  }

  private static void status(Run run, GatewayClient client) {
    Session session = run.session(client);
    int server = server(run.given);
    int item = item(run.given);
    MxStatusProxy status =
        run.command.name().equals("suspend")
            ? session.suspend(server, item)
            : session.activate(server, item);
    JsonObject document = new JsonObject();
    document.add("status", Documents.of(status));
    run.print(document, List.of(MxStatuses.text(status)));
  }

  // ---------------------------------------------------------------------------------- writes

  static MxValue value(Given given) {
    return parsed(given.text("--value"), given.text("--type"), "--value");
  }

  static MxValue parsed(String text, String type, String flag) {
    try {
      return Values.parse(text, type, flag);
    } catch (IllegalArgumentException wrong) {
      throw new UsageException(wrong.getMessage(), wrong);
    }
  }

  static int current(Given given) {
    return given.handle("--current-user-id");
  }

  /** The verifier; the operator again where none is given. */
  static int verifier(Given given) {
    return given.has("--verifier-user-id") ? given.handle("--verifier-user-id") : current(given);
  }

  private static Message write(Given given) {
    return WriteCommand.newBuilder()
        .setServerHandle(server(given))
        .setItemHandle(item(given))
        .setValue(value(given))
        .setUserId(given.handle("--user-id"))
        .build();
  }

  private static Message write2(Given given) {
    return Write2Command.newBuilder()
        .setServerHandle(server(given))
        .setItemHandle(item(given))
        .setValue(value(given))
        .setTimestampValue(Times.value(given.moment("--timestamp")))
        .setUserId(given.handle("--user-id"))
        .build();
  }

  private static Message writeSecured(Given given) {
    return WriteSecuredCommand.newBuilder()
        .setServerHandle(server(given))
        .setItemHandle(item(given))
        .setCurrentUserId(current(given))
        .setVerifierUserId(verifier(given))
        .setValue(value(given))
        .build();
  }

  private static Message writeSecured2(Given given) {
    return WriteSecured2Command.newBuilder()
        .setServerHandle(server(given))
        .setItemHandle(item(given))
        .setCurrentUserId(current(given))
        .setVerifierUserId(verifier(given))
        .setValue(value(given))
        .setTimestampValue(Times.value(given.moment("--timestamp")))
        .build();
  }

  // ----------------------------------------------------------------------------------- users

  private static void authenticate(Run run, GatewayClient client) {
    String password = password(run);
    run.secrets.add(password);
    userId(
        run,
        run.session(client)
            .authenticateUser(server(run.given), run.given.text("--user"), password));
  }

  /** The password never comes from the command line. */
  private static String password(Run run) {
    if (run.given.has("--password-env")) {
      String name = run.given.text("--password-env");
      String password = run.program.environment.apply(name);
      if (password == null) {
        throw new UsageException(
            "the environment variable " + name + " (--password-env) is not set");
      }
      return password;
    }
    String noTerminal = "there is no terminal to ask for the password; use --password-env VARIABLE";
    if (run.program.isInBatch) {
      throw new UsageException(noTerminal);
    }
    if (System.console() != null) {
      char[] typed = System.console().readPassword("Password: ");
      return typed == null ? "" : new String(typed);
    }
    try {
      String line = run.program.input.readLine();
      if (line == null) {
        throw new UsageException(noTerminal);
      }
      return line;
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    }
  }

  private static void archestra(Run run, GatewayClient client) {
    userId(run, run.session(client).archestraUserToId(server(run.given), run.given.text("--guid")));
  }

  private static void userId(Run run, int id) {
    JsonObject document = document(run);
    document.addProperty("userId", id);
    run.print(document, List.of(String.valueOf(id)));
  }
}
