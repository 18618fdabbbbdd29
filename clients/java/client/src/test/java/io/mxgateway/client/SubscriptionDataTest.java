package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxEventFamily;
import io.mxgateway.proto.SubscribeResult;
import java.util.List;
import org.junit.jupiter.api.Test;

class SubscriptionDataTest {
  private static MxEvent event(long sequence) {
    return MxEvent.newBuilder()
        .setFamily(MxEventFamily.MX_EVENT_FAMILY_ON_DATA_CHANGE)
        .setServerHandle(1)
        .setItemHandle(7)
        .setWorkerSequence(sequence)
        .build();
  }

  private static long taken(SubscriptionData data) {
    DataChange change = data.queue.take();
    assertNotNull(change);
    return change.workerSequence();
  }

  @Test
  void whatWaitedForTheReplyComesBeforeWhatFollows() {
    WantedItems items = new WantedItems(List.of("A.B"));
    items.begin(1, false);
    SubscriptionData data =
        new SubscriptionData(
            items, new ChangeQueue(10, OverflowPolicy.DROP_OLDEST), task -> task.run());
    items.naming();
    data.take(event(1), false);
    assertNull(data.queue.take());
    // The reply is there, and whoever asked has not told yet.
    items.take(
        List.of("A.B"),
        List.of(),
        List.of(SubscribeResult.newBuilder().setWasSuccessful(true).setItemHandle(7).build()));
    items.named();
    data.take(event(2), false);
    assertEquals(List.of(1L, 2L), List.of(taken(data), taken(data)));
    assertNull(data.queue.take());
  }
}
