package io.mxgateway.cli;

import io.mxgateway.client.Contract;
import io.mxgateway.client.Session;
import io.mxgateway.proto.SubscribeResult;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The tags of a measurement. */
final class BenchTags {
  private BenchTags() {}

  static List<String> of(Given given) {
    List<String> tags = new ArrayList<>();
    for (long index = 0; index < given.whole("--bulk-size"); index++) {
      tags.add(
          String.format(
              Locale.ROOT,
              "%s%03d.%s",
              given.text("--tag-prefix"),
              given.whole("--tag-start") + index,
              given.text("--tag-attribute")));
    }
    return tags;
  }

  /** Registers and subscribes; the server handle. */
  static int subscribe(Session session, String name, List<String> tags) {
    int server = session.register(name);
    for (int start = 0; start < tags.size(); start += Contract.MAX_BULK_ITEMS) {
      List<String> part =
          tags.subList(start, Math.min(start + Contract.MAX_BULK_ITEMS, tags.size()));
      for (SubscribeResult each : session.subscribeBulk(server, part)) {
        if (!each.getWasSuccessful()) {
          throw new FailedCommand(
              "a tag was refused: " + each.getTagAddress() + ": " + each.getErrorMessage());
        }
      }
    }
    return server;
  }

  static double milliseconds(long nanos) {
    return Summary.rounded(nanos / 1e6);
  }

  static double rate(long count, long nanos) {
    return nanos <= 0 ? 0 : Summary.rounded(count / (nanos / 1e9));
  }
}
