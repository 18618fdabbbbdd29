package io.mxgateway.client;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Changes that wait for the consumer. It counts what it drops; nothing is lost without a trace.
 * Guarded by the subscription's lock.
 */
final class ChangeQueue {
  private final int asked;
  private final OverflowPolicy policy;
  private int capacity;
  private int warnAt;
  private ArrayDeque<DataChange> changes = new ArrayDeque<>();
  private long lostNext;
  private boolean isFilling = true;
  private long dropped;

  ChangeQueue(int capacity, OverflowPolicy policy) {
    this.asked = capacity;
    this.capacity = capacity;
    this.warnAt = capacity;
    this.policy = policy;
  }

  int size() {
    return changes.size();
  }

  long dropped() {
    return dropped;
  }

  /** From now on the present values of all tags are there. */
  void filled() {
    isFilling = false;
  }

  /**
   * Sees to it that the present value of each of so many tags fits, however little was asked for.
   */
  void makeRoom(int tags) {
    capacity = Math.max(asked, tags > 1 ? 2 * tags : tags);
  }

  /** Notes that changes were lost before the next one. */
  void lose(long count) {
    lostNext += count;
  }

  /** What was noted for the next change, which from now on the caller answers for. */
  long takeLost() {
    long lost = lostNext;
    lostNext = 0;
    return lost;
  }

  /** Takes a change; a warning to log, or null. Throws OverflowException at the policy's end. */
  @Nullable String put(DataChange change) {
    if (isFilling && changes.size() >= capacity && policy != OverflowPolicy.WARN) {
      keepLatest();
    }
    if (changes.size() < capacity || policy == OverflowPolicy.WARN) {
      append(change);
      if (changes.size() <= warnAt) {
        return null;
      }
      warnAt *= 2;
      return changes.size() + " changes wait; the consumer of the subscription is too slow";
    }
    if (policy == OverflowPolicy.DISCONNECT) {
      throw Failure.of(
          ErrorKind.OVERFLOW,
          capacity
              + " changes wait and the overflow policy is DISCONNECT: the consumer is too slow");
    }
    dropped++;
    if (policy == OverflowPolicy.DROP_NEWEST) {
      lostNext++;
      return null;
    }
    DataChange oldest = changes.remove();
    append(change);
    // The gap is where the dropped change stood: before the one that is now the oldest.
    changes.addFirst(changes.remove().withLostBefore(oldest.lostBefore() + 1));
    return null;
  }

  private void append(DataChange change) {
    changes.add(change.withLostBefore(takeLost()));
  }

  /** Removes the changes of some tags. What was lost before them was so before the next change. */
  void discard(Set<String> gone) {
    long lost = 0;
    ArrayDeque<DataChange> kept = new ArrayDeque<>();
    for (DataChange change : changes) {
      if (gone.contains(change.tag())) {
        lost += change.lostBefore();
        continue;
      }
      kept.add(change.withLostBefore(lost));
      lost = 0;
    }
    changes = kept;
    lostNext += lost;
  }

  /** Drops each change that a younger one of its tag follows, which says how many were lost. */
  private void keepLatest() {
    Map<String, DataChange> last = new HashMap<>();
    changes.forEach(change -> last.put(change.tag(), change));
    Map<String, Long> lost = new HashMap<>();
    ArrayDeque<DataChange> kept = new ArrayDeque<>();
    for (DataChange change : changes) {
      if (last.get(change.tag()) != change) {
        lost.merge(change.tag(), change.lostBefore() + 1, Long::sum);
        dropped++;
        continue;
      }
      kept.add(change.withLostBefore(lost.getOrDefault(change.tag(), 0L)));
    }
    changes = kept;
  }

  @Nullable DataChange take() {
    return changes.poll();
  }
}
