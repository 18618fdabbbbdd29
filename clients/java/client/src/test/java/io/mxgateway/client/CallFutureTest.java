package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;

class CallFutureTest {
  @Test
  void cancellingWhatIsPendingTakesTheCallBackOnce() {
    List<String> done = new ArrayList<>();
    CallFuture<String> call = new CallFuture<>();
    call.onCancel(() -> done.add("taken back"));
    CallFuture<Integer> mapped = call.map(String::length);
    assertTrue(mapped.cancel(true));
    assertTrue(mapped.cancel(true));
    assertTrue(call.isCancelled());
    assertEquals(List.of("taken back"), done);
  }

  @Test
  void cancellingWhatIsDoneDoesNothing() {
    CallFuture<String> call = new CallFuture<>();
    call.onCancel(
        () -> {
          throw new AssertionError("taken back");
        });
    CallFuture<Integer> mapped = call.map(String::length);
    call.complete("four");
    assertFalse(mapped.cancel(true));
    assertFalse(call.cancel(true));
    assertEquals(4, mapped.await());
  }

  @Test
  void aCallThatIsGivenLateIsTakenBackToo() {
    List<String> done = new ArrayList<>();
    CallFuture<String> call = new CallFuture<>();
    call.cancel(true);
    call.onCancel(() -> done.add("taken back"));
    assertEquals(List.of("taken back"), done);
  }

  @Test
  void anInterruptCancelsAndKeepsTheFlag() {
    CallFuture<String> call = new CallFuture<>();
    Thread.currentThread().interrupt();
    assertThrows(CancellationException.class, call::await);
    assertTrue(Thread.interrupted());
    assertTrue(call.isCancelled());
  }

  @Test
  void theOutcomeThatCameFirstIsTheOne() {
    CallFuture<String> call = CallFuture.of("done");
    assertEquals("done", call.await());
    CallFuture<String> failed = CallFuture.failed(Failure.of(ErrorKind.SESSION, "gone"));
    assertThrows(SessionException.class, failed::await);
  }
}
