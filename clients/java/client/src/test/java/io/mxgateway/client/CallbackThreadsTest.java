package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Outcomes are told on threads that are used again, and one that blocks keeps no other waiting. */
class CallbackThreadsTest {
  @Test
  void theCommonPoolIsTakenWhereItHasSeveralThreads() {
    assertSame(ForkJoinPool.commonPool(), CallbackThreads.of(2));
  }

  @Test
  void elsewhereAThreadStaysForTheNextOutcomeAndNotForLong() throws Exception {
    for (int parallelism : new int[] {0, 1}) {
      ForkJoinPool own = assertInstanceOf(ForkJoinPool.class, CallbackThreads.of(parallelism));
      assertNotSame(ForkJoinPool.commonPool(), own);
      // In the order in which they came, as far as one thread tells them.
      assertTrue(own.getAsyncMode());
      CompletableFuture<Thread> first = CompletableFuture.supplyAsync(Thread::currentThread, own);
      Thread thread = first.get(20, TimeUnit.SECONDS);
      assertTrue(thread.isDaemon());
      assertTrue(thread.getName().startsWith("mxgateway"), thread.getName());
      thread.join(TimeUnit.SECONDS.toMillis(20));
      assertFalse(thread.isAlive());
      own.shutdown();
    }
  }

  @Test
  void anOutcomeThatBlocksKeepsNoOtherWaiting() throws Exception {
    ForkJoinPool own = (ForkJoinPool) CallbackThreads.of(1);
    CountDownLatch told = new CountDownLatch(1);
    CompletableFuture<Void> blocking =
        CompletableFuture.runAsync(
            () -> {
              try {
                told.await();
              } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
              }
            },
            own);
    CompletableFuture.runAsync(told::countDown, own).get(20, TimeUnit.SECONDS);
    blocking.get(20, TimeUnit.SECONDS);
    own.shutdown();
  }

  @Test
  void outcomesThatWaitForOneAnotherAllComeToBe() throws Exception {
    ForkJoinPool own = (ForkJoinPool) CallbackThreads.of(1);
    int chain = 50;
    List<CompletableFuture<Integer>> told = new ArrayList<>();
    CallFuture<Integer> last = new CallFuture<>();
    CompletableFuture<Integer> before = last.on(own);
    for (int number = 0; number < chain; number++) {
      CompletableFuture<Integer> awaited = before;
      before = CompletableFuture.supplyAsync(() -> awaited.join() + 1, own);
      told.add(before);
    }
    // All of them wait for this one, which is told behind them.
    last.complete(0);
    assertEquals(chain, told.get(chain - 1).get(20, TimeUnit.SECONDS));
    own.shutdown();
  }
}
