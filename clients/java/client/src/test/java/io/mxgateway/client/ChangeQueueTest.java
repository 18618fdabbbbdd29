package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.mxgateway.proto.MxEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ChangeQueueTest {
  private static DataChange change(String tag, int number) {
    return DataChange.of(tag, MxEvent.getDefaultInstance(), number, false, false);
  }

  private static ChangeQueue filled(OverflowPolicy policy) {
    ChangeQueue queue = new ChangeQueue(2, policy);
    queue.filled();
    return queue;
  }

  /** What is in the queue: tag, sequence, lost before. */
  private static List<String> taken(ChangeQueue queue) {
    List<String> found = new ArrayList<>();
    DataChange change;
    while ((change = queue.take()) != null) {
      found.add(change.tag() + change.workerSequence() + "+" + change.lostBefore());
    }
    return found;
  }

  @Test
  void dropsTheOldestAndSaysSoWhereItStood() {
    ChangeQueue queue = filled(OverflowPolicy.DROP_OLDEST);
    for (int number = 1; number <= 5; number++) {
      assertNull(queue.put(change("a", number)));
    }
    assertEquals(3, queue.dropped());
    assertEquals(List.of("a4+3", "a5+0"), taken(queue));
  }

  @Test
  void dropsTheNewestAndSaysSoBeforeTheNextThatStays() {
    ChangeQueue queue = filled(OverflowPolicy.DROP_NEWEST);
    for (int number = 1; number <= 4; number++) {
      queue.put(change("a", number));
    }
    queue.take();
    queue.put(change("a", 5));
    assertEquals(List.of("a2+0", "a5+2"), taken(queue));
  }

  @Test
  void warnsEachTimeItsLengthHasDoubled() {
    ChangeQueue queue = filled(OverflowPolicy.WARN);
    List<Integer> warned = new ArrayList<>();
    for (int number = 1; number <= 9; number++) {
      if (queue.put(change("a", number)) != null) {
        warned.add(number);
      }
    }
    assertEquals(List.of(3, 5, 9), warned);
    assertEquals(0, queue.dropped());
  }

  @Test
  void endsWhereThePolicySaysSoAndKeepsWhatIsThere() {
    ChangeQueue queue = filled(OverflowPolicy.DISCONNECT);
    queue.put(change("a", 1));
    queue.put(change("a", 2));
    assertThrows(OverflowException.class, () -> queue.put(change("a", 3)));
    assertEquals(List.of("a1+0", "a2+0"), taken(queue));
  }

  @Test
  void keepsTheLatestOfEachTagWhileItFills() {
    ChangeQueue queue = new ChangeQueue(2, OverflowPolicy.DROP_OLDEST);
    queue.put(change("a", 1));
    queue.put(change("a", 2));
    queue.put(change("b", 3));
    assertEquals(1, queue.dropped());
    assertEquals(List.of("a2+1", "b3+0"), taken(queue));
  }

  @Test
  void movesALossBehindWhatIsRemoved() {
    ChangeQueue queue = new ChangeQueue(9, OverflowPolicy.DROP_OLDEST);
    queue.lose(7);
    queue.put(change("a", 1));
    queue.put(change("b", 2));
    queue.discard(Set.of("a"));
    queue.lose(2);
    queue.discard(Set.of("b"));
    queue.put(change("c", 3));
    assertEquals(List.of("c3+9"), taken(queue));
  }

  @Test
  void hasRoomForTheValueOfEachTag() {
    ChangeQueue queue = filled(OverflowPolicy.DROP_OLDEST);
    queue.makeRoom(3);
    for (int number = 1; number <= 6; number++) {
      queue.put(change("a", number));
    }
    assertEquals(0, queue.dropped());
  }
}
