package io.mxgateway.client;

import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Where outcomes are told unless the user has an executor of their own. */
final class CallbackThreads {
  /** How long a thread waits for something to do; soon after a client was closed none is left. */
  static final long IDLE_SECONDS = 1;

  private static final Executor DEFAULT = of(ForkJoinPool.getCommonPoolParallelism());

  private CallbackThreads() {}

  static Executor byDefault() {
    return DEFAULT;
  }

  /**
   * The common pool where that has more than one thread, else threads of our own, as many as have
   * something to do: what runs there may block. CompletableFuture itself would start a thread for
   * each outcome, which on a machine with two processors costs ten times what a call does.
   */
  static Executor of(int parallelism) {
    if (parallelism > 1) {
      return ForkJoinPool.commonPool();
    }
    return new ThreadPoolExecutor(
        0,
        Integer.MAX_VALUE,
        IDLE_SECONDS,
        TimeUnit.SECONDS,
        new SynchronousQueue<>(),
        task -> {
          Thread thread = new Thread(task, "mxgateway callbacks");
          thread.setDaemon(true);
          return thread;
        });
  }
}
