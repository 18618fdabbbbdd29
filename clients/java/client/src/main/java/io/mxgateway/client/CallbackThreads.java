package io.mxgateway.client;

import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;
import java.util.concurrent.TimeUnit;

/** Where outcomes are told unless the user has an executor of their own. */
final class CallbackThreads {
  /** How long a thread waits for something to do; soon after a client was closed none is left. */
  static final long IDLE_SECONDS = 1;

  /** How many of them work at once; one that waits for another outcome makes room for a further. */
  static final int AT_WORK = 4;

  /** How many there are at most, those that wait included. */
  private static final int MOST = 1_000;

  private static final Executor DEFAULT = of(ForkJoinPool.getCommonPoolParallelism());

  private CallbackThreads() {}

  static Executor byDefault() {
    return DEFAULT;
  }

  /**
   * The common pool where that has more than one thread, else one of our own: what runs there may
   * block. CompletableFuture itself would start a thread for each outcome, which on a machine with
   * two processors costs ten times what a call does.
   */
  static Executor of(int parallelism) {
    if (parallelism > 1) {
      return ForkJoinPool.commonPool();
    }
    return new ForkJoinPool(
        AT_WORK,
        CallbackThread::new,
        null,
        true,
        0,
        MOST,
        AT_WORK,
        pool -> true,
        IDLE_SECONDS,
        TimeUnit.SECONDS);
  }

  private static final class CallbackThread extends ForkJoinWorkerThread {
    CallbackThread(ForkJoinPool pool) {
      super(pool);
      setName("mxgateway callbacks");
    }
  }
}
