package io.mxgateway.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Outcomes are told on threads that are used again, and one that blocks keeps no other waiting. */
class CallbackThreadsTest {
  @Test
  void theCommonPoolIsTakenWhereItHasSeveralThreads() {
    assertSame(ForkJoinPool.commonPool(), CallbackThreads.of(2));
  }

  @Test
  void elsewhereAThreadStaysForTheNextOutcomeAndNotForLong() {
    for (int parallelism : new int[] {0, 1}) {
      ThreadPoolExecutor own =
          assertInstanceOf(ThreadPoolExecutor.class, CallbackThreads.of(parallelism));
      assertEquals(0, own.getCorePoolSize());
      assertEquals(CallbackThreads.IDLE_SECONDS, own.getKeepAliveTime(TimeUnit.SECONDS));
      assertTrue(own.getThreadFactory().newThread(() -> {}).isDaemon());
      own.shutdown();
    }
  }

  @Test
  void anOutcomeThatBlocksKeepsNoOtherWaiting() throws Exception {
    ThreadPoolExecutor own = (ThreadPoolExecutor) CallbackThreads.of(1);
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
}
