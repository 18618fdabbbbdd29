package io.mxgateway.cli;

import com.google.gson.JsonObject;
import com.google.protobuf.Message;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.MxQuality;
import io.mxgateway.client.MxStatuses;
import io.mxgateway.client.MxValues;
import io.mxgateway.client.SecuredEntry;
import io.mxgateway.client.Session;
import io.mxgateway.client.WriteEntry;
import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.BulkWriteResult;
import io.mxgateway.proto.MxStatusProxy;
import io.mxgateway.proto.MxValue;
import io.mxgateway.proto.SubscribeResult;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/** Many items in one call. */
final class BulkWorks {
  static final Map<String, BiConsumer<Run, GatewayClient>> ALL = new HashMap<>();

  static {
    for (String name : List.of("add-item-bulk", "subscribe-bulk")) {
      ALL.put(name, BulkWorks::byReference);
    }
    for (String name :
        List.of("advise-item-bulk", "unadvise-item-bulk", "remove-item-bulk", "unsubscribe-bulk")) {
      ALL.put(name, BulkWorks::byHandle);
    }
    ALL.put("read-bulk", BulkWorks::read);
    for (String name :
        List.of("write-bulk", "write2-bulk", "write-secured-bulk", "write-secured2-bulk")) {
      ALL.put(name, BulkWorks::write);
    }
  }

  private BulkWorks() {}

  private static List<String> references(Run run) {
    try {
      return Lists.references(run.given.text("--items"), "--items");
    } catch (IllegalArgumentException wrong) {
      throw new UsageException(wrong.getMessage(), wrong);
    }
  }

  private static List<Integer> handles(Run run) {
    try {
      return Lists.handles(run.given.text("--item-handles"), "--item-handles");
    } catch (IllegalArgumentException wrong) {
      throw new UsageException(wrong.getMessage(), wrong);
    }
  }

  private static void print(Run run, List<? extends Message> results) {
    JsonObject document = new JsonObject();
    document.add("results", Documents.of(results));
    run.print(document, results.stream().map(BulkWorks::text).toList());
  }

  private static String text(Message result) {
    if (result instanceof BulkReadResult read) {
      return read.getWasSuccessful()
          ? read.getTagAddress()
              + ": "
              + SessionWorks.shown(MxValues.toJava(read.getValue()))
              + " "
              + MxQuality.name(read.getQuality())
              + (read.getWasCached() ? " (cached)" : "")
          : failed(read.getTagAddress(), read.getStatusesList(), read.getErrorMessage());
    }
    if (result instanceof SubscribeResult item) {
      String name =
          item.getTagAddress().isEmpty() ? "item " + item.getItemHandle() : item.getTagAddress();
      return item.getWasSuccessful()
          ? name + ": ok, handle " + item.getItemHandle()
          : failed(name, List.of(), item.getErrorMessage());
    }
    BulkWriteResult write = (BulkWriteResult) result;
    String name = "item " + write.getItemHandle();
    return write.getWasSuccessful()
        ? name + ": ok, handle " + write.getItemHandle()
        : failed(name, write.getStatusesList(), write.getErrorMessage());
  }

  private static String failed(String name, List<MxStatusProxy> statuses, String message) {
    String reason =
        statuses.stream()
            .filter(MxStatuses::isFailure)
            .map(MxStatuses::text)
            .findFirst()
            .orElse(message.isEmpty() ? "without a reason" : message);
    return name + ": failed: " + reason;
  }

  private static void byReference(Run run, GatewayClient client) {
    List<String> references = references(run);
    Session session = run.session(client);
    int server = ItemWorks.server(run.given);
    print(
        run,
        run.command.name().equals("add-item-bulk")
            ? session.addItemBulk(server, references)
            : session.subscribeBulk(server, references));
  }

  private static void byHandle(Run run, GatewayClient client) {
    List<Integer> handles = handles(run);
    Session session = run.session(client);
    int server = ItemWorks.server(run.given);
    print(
        run,
        switch (run.command.name()) {
          case "advise-item-bulk" -> session.adviseItemBulk(server, handles);
          case "unadvise-item-bulk" -> session.unadviseItemBulk(server, handles);
          case "remove-item-bulk" -> session.removeItemBulk(server, handles);
          default -> session.unsubscribeBulk(server, handles);
        });
  }

  private static void read(Run run, GatewayClient client) {
    List<String> references = references(run);
    print(
        run,
        run.session(client)
            .readBulk(
                ItemWorks.server(run.given),
                references,
                Duration.ofMillis(run.given.whole("--timeout-ms"))));
  }

  private static void write(Run run, GatewayClient client) {
    Given given = run.given;
    List<Integer> handles = handles(run);
    List<String> texts;
    try {
      texts = Lists.named(given.text("--values"), "--values");
    } catch (IllegalArgumentException wrong) {
      throw new UsageException(wrong.getMessage(), wrong);
    }
    if (handles.size() != texts.size()) {
      throw new UsageException(
          "--item-handles has "
              + handles.size()
              + " entries, --values "
              + texts.size()
              + "; their numbers have to match");
    }
    MxValue moment = given.has("--timestamp") ? Times.value(given.moment("--timestamp")) : null;
    List<WriteEntry> plain = new ArrayList<>();
    List<SecuredEntry> secured = new ArrayList<>();
    for (int index = 0; index < handles.size(); index++) {
      MxValue value = ItemWorks.parsed(texts.get(index), given.text("--type"), "--values");
      plain.add(new WriteEntry(handles.get(index), value, moment, 0));
      secured.add(
          new SecuredEntry(
              handles.get(index),
              ItemWorks.current(given),
              ItemWorks.verifier(given),
              value,
              moment));
    }
    Session session = run.session(client);
    int server = ItemWorks.server(given);
    int user = given.handle("--user-id");
    print(
        run,
        switch (run.command.name()) {
          case "write-bulk" -> session.writeBulk(server, plain, user);
          case "write2-bulk" -> session.write2Bulk(server, plain, user);
          case "write-secured-bulk" -> session.writeSecuredBulk(server, secured);
          default -> session.writeSecured2Bulk(server, secured);
        });
  }
}
