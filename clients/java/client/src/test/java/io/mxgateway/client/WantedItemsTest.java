package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Timestamp;
import io.mxgateway.proto.BackpressurePolicy;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.ReplayGap;
import io.mxgateway.proto.SubscribeResult;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class WantedItemsTest {
  private static SubscribeResult added(int handle) {
    return SubscribeResult.newBuilder().setWasSuccessful(true).setItemHandle(handle).build();
  }

  private static MxEvent event(int handle, int number, long sequence) {
    return MxEvent.newBuilder()
        .setServerHandle(1)
        .setItemHandle(handle)
        .setClientHandle(number)
        .setWorkerSequence(sequence)
        .build();
  }

  private static WantedItems begun(boolean isNumbering, String... tags) {
    WantedItems items = new WantedItems(List.of(tags));
    items.begin(1, isNumbering);
    return items;
  }

  @Test
  void aNumberNamesAnEventBeforeTheReplyIsThere() {
    WantedItems items = begun(true, "A", "B");
    List<Integer> numbers = items.numbered(List.of("A", "B"));
    assertEquals("B", items.tagOf(event(7, numbers.get(1), 1)));
    items.take(List.of("A", "B"), numbers, List.of(added(6), added(7)));
    items.unwant(Set.of("B"));
    assertNull(items.tagOf(event(7, numbers.get(1), 2)));
    assertEquals(List.of(7), items.unwanted());
  }

  @Test
  void anItemThatHadTheHandleBeforeIsAnotherOne() {
    WantedItems items = begun(true, "A");
    List<Integer> first = items.numbered(List.of("A"));
    items.take(List.of("A"), first, List.of(added(5)));
    items.unwant(Set.of("A"));
    items.want(List.of("C"));
    List<Integer> second = items.numbered(List.of("C"));
    items.take(List.of("C"), second, List.of(added(5)));
    assertNull(items.tagOf(event(5, first.get(0), 3)));
    assertEquals("C", items.tagOf(event(5, second.get(0), 4)));
  }

  @Test
  void aLostReplyLeavesItemsThatAreRemovedWhenTheyShow() {
    WantedItems items = begun(false, "A");
    items.naming();
    assertTrue(items.mayComeToKnow(event(9, 0, 1)));
    items.lostNames(List.of());
    items.named();
    assertFalse(items.mayComeToKnow(event(9, 0, 2)));
    assertEquals(List.of(9), items.unwanted());
  }

  @Test
  void aSequenceThatWasSeenIsNoNewsAlsoBeyond63Bits() {
    ChangeReader reader = new ChangeReader(begun(false, "A"), () -> 0);
    assertTrue(reader.isNew(event(1, 0, Long.MAX_VALUE)));
    assertTrue(reader.isNew(event(1, 0, Long.MIN_VALUE)));
    assertFalse(reader.isNew(event(1, 0, Long.MAX_VALUE)));
    assertFalse(reader.isNew(event(1, 0, Long.MIN_VALUE)));
    assertTrue(reader.isNew(event(1, 0, -1)));
    assertEquals(-1, reader.position());
  }

  @Test
  void aGapSaysWhatIsKnownToBeLost() {
    ChangeReader reader = new ChangeReader(begun(false, "A"), () -> 0);
    ReplayGap old =
        ReplayGap.newBuilder().setRequestedAfterSequence(7).setOldestAvailableSequence(12).build();
    assertEquals(4, reader.lose(old));
    assertEquals(3, reader.lose(ReplayGap.newBuilder().setDroppedEvents(3).build()));
    assertEquals(0, reader.lose(ReplayGap.getDefaultInstance()));
    assertEquals(3, reader.gaps());
    assertEquals(7, reader.lost());
  }

  @Test
  void underConflateOnlyTheFirstGapIsRead() {
    ReplayGap dropped = ReplayGap.newBuilder().setDroppedEvents(3).build();
    BackpressurePolicy conflate = BackpressurePolicy.BACKPRESSURE_POLICY_CONFLATE;
    assertTrue(ChangeReader.hasToRead(dropped, true, conflate));
    assertFalse(ChangeReader.hasToRead(dropped, false, conflate));
    assertTrue(ChangeReader.hasToRead(ReplayGap.getDefaultInstance(), false, conflate));
    assertTrue(
        ChangeReader.hasToRead(dropped, false, BackpressurePolicy.BACKPRESSURE_POLICY_UNSPECIFIED));
  }

  @Test
  void whatIsOlderThanAValueThatWasReadIsHistory() {
    WantedItems items = begun(false, "A");
    items.take(List.of("A"), List.of(), List.of(added(5)));
    ChangeReader reader = new ChangeReader(items, () -> 0);
    Timestamp at = Timestamp.newBuilder().setSeconds(100).setNanos(5).build();
    DataChange again =
        reader.sentAgain("A", event(5, 0, 0).toBuilder().setSourceTimestamp(at).build());
    assertTrue(again.isRecovered());
    assertEquals(0, again.workerSequence());
    MxEvent older =
        event(5, 0, 1).toBuilder().setSourceTimestamp(at.toBuilder().setNanos(4)).build();
    DataChange late = reader.change(older, false);
    assertTrue(late != null && late.isReplayed() && !late.isRecovered());
    DataChange now =
        reader.change(event(5, 0, 2).toBuilder().setSourceTimestamp(at).build(), false);
    assertTrue(now != null && !now.isReplayed());
  }
}
