package io.mxgateway.client;

import com.google.protobuf.Timestamp;
import io.mxgateway.proto.BackpressurePolicy;
import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxEventOrigin;
import io.mxgateway.proto.ReplayGap;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Where a subscription stands in its session's events, and what it has missed. Guarded by the
 * subscription's lock.
 */
final class ChangeReader {
  private final WantedItems items;
  private long position;
  private long gaps;
  private long lost;

  /** Tags whose first value says that they have none, until a value without a failure comes. */
  private final Map<String, String> unresolved = new LinkedHashMap<>();

  private final Set<String> seen = new HashSet<>();

  /** Source time of the value that was read again, by tag: older events than that are history. */
  private final Map<String, Timestamp> readAt = new HashMap<>();

  /** Tags whose next value replaces what was missed. */
  private final Set<String> renewed = new HashSet<>();

  /** Gives what was lost before the next change; an event that has to wait takes it along. */
  private final LongSupplier takeLost;

  /** A first value may overtake the reply that tells which tag its item is. */
  private List<Early> early = new ArrayList<>();

  private record Early(MxEvent event, boolean isReplayed, long lost) {}

  /** What overtook its reply: how many were lost before an event, and its change if any. */
  record EarlyChange(long lost, @Nullable DataChange change) {}

  ChangeReader(WantedItems items, LongSupplier takeLost) {
    this.items = items;
    this.takeLost = takeLost;
  }

  /** worker_sequence of the youngest event, unsigned; 0 before the first one of a session. */
  long position() {
    return position;
  }

  long gaps() {
    return gaps;
  }

  long lost() {
    return lost;
  }

  Map<String, String> unresolved() {
    return unresolved;
  }

  /**
   * A session without history takes the place of the former one, if there was one; gives what was
   * lost before events that have waited in vain.
   */
  long beginSession(Collection<String> recovered) {
    long waiting = early.stream().mapToLong(Early::lost).sum();
    position = 0;
    unresolved.clear();
    seen.clear();
    readAt.clear();
    early.clear();
    renewed.clear();
    renewed.addAll(recovered);
    return waiting;
  }

  /** What was missed while there was no session is a gap. */
  void newSession() {
    gaps++;
  }

  void forget(Collection<String> tags) {
    renewed.removeAll(tags);
    readAt.keySet().removeAll(tags);
    seen.removeAll(tags);
    unresolved.keySet().removeAll(tags);
  }

  /** Whether an event is beyond the position, which it moves; a gateway may replay more. */
  boolean isNew(MxEvent event) {
    long sequence = event.getWorkerSequence();
    if (sequence == 0) {
      return true;
    }
    if (Long.compareUnsigned(sequence, position) <= 0) {
      return false;
    }
    position = sequence;
    return true;
  }

  /**
   * The change of an OnDataChange or of a value that is sent once more; null when it belongs to no
   * wanted tag as far as is known now.
   */
  @Nullable DataChange change(MxEvent event, boolean isReplayed) {
    String tag = items.tagOf(event);
    if (tag != null) {
      return event.getOrigin() == MxEventOrigin.MX_EVENT_ORIGIN_RECOVERED
          ? sentAgain(tag, event)
          : marked(tag, event, isReplayed);
    }
    if (items.mayComeToKnow(event)) {
      early.add(new Early(event, isReplayed, takeLost.getAsLong()));
    }
    return null;
  }

  /** Whether something waits for the reply that names its item. */
  boolean hasEarly() {
    return !early.isEmpty();
  }

  /** The changes that overtook their reply, once it is there. */
  List<EarlyChange> earlyChanges() {
    List<Early> waiting = early;
    early = new ArrayList<>();
    List<EarlyChange> changes = new ArrayList<>();
    for (Early each : waiting) {
      changes.add(new EarlyChange(each.lost, change(each.event, each.isReplayed)));
    }
    return changes;
  }

  /**
   * Whether current values may be newer than what comes after a gap. Under conflate what was
   * dropped was replaced by a younger value of its item, which is in the stream; the first gap of a
   * stream is another matter.
   */
  static boolean hasToRead(ReplayGap gap, boolean isFirst, BackpressurePolicy policy) {
    boolean isReplaced =
        policy == BackpressurePolicy.BACKPRESSURE_POLICY_CONFLATE && gap.getDroppedEvents() != 0;
    return isFirst || !isReplaced;
  }

  /** Counts a gap; how many events are known to be lost in it. */
  long lose(ReplayGap gap) {
    gaps++;
    long count = gap.getDroppedEvents();
    long next = gap.getRequestedAfterSequence() + 1;
    if (count == 0 && Long.compareUnsigned(gap.getOldestAvailableSequence(), next) > 0) {
      count = gap.getOldestAvailableSequence() - next;
    }
    lost += count;
    return count;
  }

  /** The change that stands for what was lost: the value as it was read again. */
  DataChange readAgain(String tag, BulkReadResult result) {
    readAt.put(tag, result.getSourceTimestamp());
    return DataChange.of(tag, result);
  }

  /** The same, as the gateway itself sends it after a gap. */
  DataChange sentAgain(String tag, MxEvent event) {
    readAt.put(tag, event.getSourceTimestamp());
    return DataChange.of(tag, event, 0, false, true);
  }

  private DataChange marked(String tag, MxEvent event, boolean isReplayed) {
    if (seen.add(tag) || unresolved.containsKey(tag)) {
      judge(tag, event);
    }
    boolean isRecovered = renewed.remove(tag);
    boolean isLate = isReplayed;
    Timestamp at = readAt.isEmpty() ? null : readAt.get(tag);
    if (at != null) {
      if (isBefore(event.getSourceTimestamp(), at)) {
        isLate = true;
      } else {
        readAt.remove(tag);
      }
    }
    return DataChange.of(tag, event, event.getWorkerSequence(), isLate, isRecovered);
  }

  private static boolean isBefore(Timestamp one, Timestamp other) {
    int seconds = Long.compare(one.getSeconds(), other.getSeconds());
    return seconds != 0 ? seconds < 0 : one.getNanos() < other.getNanos();
  }

  /** MXAccess takes any reference; whether it exists shows only here. */
  private void judge(String tag, MxEvent event) {
    List<String> failed = MxStatuses.failures(event.getStatusesList());
    if (failed.isEmpty()) {
      unresolved.remove(tag);
    } else {
      unresolved.put(tag, String.join(", ", failed));
    }
  }
}
