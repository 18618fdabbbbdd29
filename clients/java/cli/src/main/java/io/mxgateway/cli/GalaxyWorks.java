package io.mxgateway.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import io.mxgateway.client.GalaxyNode;
import io.mxgateway.client.GatewayClient;
import io.mxgateway.client.HierarchyFilter;
import io.mxgateway.client.MessageStream;
import io.mxgateway.proto.galaxy.AttributeOrigin;
import io.mxgateway.proto.galaxy.DeployEvent;
import io.mxgateway.proto.galaxy.GalaxyObject;
import io.mxgateway.proto.galaxy.GetLastDeployTimeReply;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiConsumer;

/** The deployed objects. */
final class GalaxyWorks {
  static final Map<String, BiConsumer<Run, GatewayClient>> ALL =
      Map.of(
          "galaxy-test-connection", GalaxyWorks::test,
          "galaxy-last-deploy", GalaxyWorks::lastDeploy,
          "galaxy-discover", GalaxyWorks::discover,
          "galaxy-browse", GalaxyWorks::browse,
          "galaxy-watch", GalaxyWorks::watch);

  private GalaxyWorks() {}

  private static void test(Run run, GatewayClient client) {
    boolean isReachable = client.galaxy().testConnection();
    JsonObject document = new JsonObject();
    document.addProperty("ok", isReachable);
    run.print(document, List.of(isReachable ? "reachable" : "not reachable"));
    if (!isReachable) {
      throw FailedCommand.silent();
    }
  }

  private static void lastDeploy(Run run, GatewayClient client) {
    GetLastDeployTimeReply reply = client.galaxy().lastDeployTimeRaw();
    JsonObject document = new JsonObject();
    document.addProperty("present", reply.getPresent());
    String text = "never";
    if (reply.getPresent()) {
      text = Times.text(reply.getTimeOfLastDeploy());
      document.addProperty("timeOfLastDeploy", text);
    } else {
      document.add("timeOfLastDeploy", JsonNull.INSTANCE);
    }
    run.print(document, List.of(text));
  }

  private static HierarchyFilter filter(Given given) {
    HierarchyFilter filter =
        new HierarchyFilter()
            .templates(given.all("--template"))
            .tagNameGlob(given.text("--glob"))
            .categories(given.all("--category").stream().map(Integer::valueOf).toList())
            .origins(
                given.all("--origin").stream()
                    .map(
                        name ->
                            AttributeOrigin.valueOf(
                                "ATTRIBUTE_ORIGIN_"
                                    + name.toUpperCase(Locale.ROOT).replace('-', '_')))
                    .toList());
    String root = given.text("--root") + given.text("--parent");
    String path = given.text("--root-contained-path") + given.text("--contained-path");
    try {
      filter = root.isEmpty() ? filter : filter.root(root);
      filter = path.isEmpty() ? filter : filter.rootPath(path);
    } catch (IllegalArgumentException wrong) {
      throw new UsageException(wrong.getMessage(), wrong);
    }
    filter = given.has("--max-depth") ? filter.maxDepth(given.handle("--max-depth")) : filter;
    filter = given.has("--no-attributes") ? filter.withoutAttributes() : filter;
    filter = given.has("--alarm-bearing-only") ? filter.alarmBearingOnly() : filter;
    filter = given.has("--historized-only") ? filter.historizedOnly() : filter;
    return given.has("--ancestors") ? filter.withAncestors() : filter;
  }

  private static void discover(Run run, GatewayClient client) {
    long limit = run.given.whole("--limit");
    JsonArray objects = new JsonArray();
    List<String> lines = new ArrayList<>();
    Map<Integer, Integer> depths = new HashMap<>();
    for (GalaxyObject each : client.galaxy().objects(filter(run.given))) {
      Integer parent = depths.get(each.getParentGobjectId());
      int depth = parent == null ? 0 : parent + 1;
      depths.put(each.getGobjectId(), depth);
      lines.add("  ".repeat(depth) + text(each));
      objects.add(Documents.of(each));
      if (limit > 0 && objects.size() == limit) {
        break;
      }
    }
    JsonObject document = new JsonObject();
    document.add("objects", objects);
    run.print(document, lines);
  }

  private static String text(GalaxyObject object) {
    String text = object.getBrowseName();
    if (text.isEmpty()) {
      text = object.getTagName();
    } else if (!text.equals(object.getTagName())) {
      text += " (" + object.getTagName() + ")";
    }
    return object.getIsArea() ? text + "/" : text;
  }

  private static void browse(Run run, GatewayClient client) {
    List<GalaxyNode> nodes = client.galaxy().browse(filter(run.given));
    JsonObject document = new JsonObject();
    document.add("children", Documents.of(nodes.stream().map(GalaxyNode::object).toList()));
    JsonArray hints = new JsonArray();
    List<String> lines = new ArrayList<>();
    for (GalaxyNode node : nodes) {
      hints.add(node.hasChildrenHint());
      lines.add(text(node.object()) + (node.hasChildrenHint() ? " …" : ""));
    }
    document.add("childHasChildren", hints);
    run.print(document, lines);
  }

  private static void watch(Run run, GatewayClient client) {
    Instant seen =
        run.given.has("--last-seen-deploy-time")
            ? Times.instant(run.given.moment("--last-seen-deploy-time"))
            : null;
    Follow follow = new Follow(run, "--max-events");
    JsonArray events;
    try (MessageStream<DeployEvent> stream = client.galaxy().watchDeployEvents(seen)) {
      events =
          follow.collect(
              limit -> limit == null ? stream.next() : stream.next(limit),
              event ->
                  "#"
                      + Long.toUnsignedString(event.getSequence())
                      + " objects="
                      + event.getObjectCount()
                      + " attributes="
                      + event.getAttributeCount());
    }
    if (run.given.has("--json")) {
      JsonObject document = new JsonObject();
      document.add("events", events);
      run.print(document, List.of());
    }
  }
}
