package io.mxgateway.client;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The outcome of a call. Cancelling it while it is pending takes the call back; after completion
 * that does nothing, so that there is one outcome.
 */
final class CallFuture<T> extends CompletableFuture<T> {
  private volatile @Nullable Runnable onCancel;

  static <T> CallFuture<T> failed(Throwable cause) {
    CallFuture<T> made = new CallFuture<>();
    made.completeExceptionally(cause);
    return made;
  }

  static <T> CallFuture<T> of(T value) {
    CallFuture<T> made = new CallFuture<>();
    made.complete(value);
    return made;
  }

  /**
   * Runs when it is cancelled, or now if it has been already. The last one that is given counts.
   */
  void onCancel(Runnable action) {
    onCancel = action;
    if (isCancelled()) {
      action.run();
    }
  }

  @Override
  public boolean cancel(boolean mayInterruptIfRunning) {
    if (isDone()) {
      return isCancelled();
    }
    boolean isCancelled = super.cancel(mayInterruptIfRunning);
    Runnable action = onCancel;
    if (isCancelled && action != null) {
      action.run();
    }
    return isCancelled;
  }

  /** What follows from the outcome; cancelling it cancels this. */
  <R> CallFuture<R> map(Function<? super T, ? extends R> convert) {
    CallFuture<R> made = new CallFuture<>();
    made.onCancel(() -> cancel(true));
    whenComplete(
        (value, failure) -> {
          if (failure != null) {
            made.completeExceptionally(failure);
            return;
          }
          try {
            made.complete(convert.apply(value));
          } catch (RuntimeException thrown) {
            made.completeExceptionally(thrown);
          }
        });
    return made;
  }

  /** The same outcome, told on an executor: what a caller hangs on to it may block. */
  CallFuture<T> on(Executor executor) {
    CallFuture<T> made = new CallFuture<>();
    made.onCancel(() -> cancel(true));
    whenComplete(
        (value, failure) -> {
          Runnable tell =
              () -> {
                if (failure != null) {
                  made.completeExceptionally(failure);
                } else {
                  made.complete(value);
                }
              };
          try {
            executor.execute(tell);
          } catch (RejectedExecutionException over) {
            // An executor that was shut down is no reason to let somebody wait for ever.
            tell.run();
          }
        });
    return made;
  }

  /**
   * Waits for the outcome. An interrupt cancels the call; the flag stays set.
   *
   * @throws CancellationException when this thread was interrupted
   */
  T await() {
    try {
      return get();
    } catch (InterruptedException interrupted) {
      boolean isCancelled = cancel(true);
      Thread.currentThread().interrupt();
      if (!isCancelled) {
        // The outcome came in this very moment: there is one, and this is it.
        return outcome();
      }
      throw cancelled(interrupted);
    } catch (ExecutionException failed) {
      throw raised(failed.getCause());
    }
  }

  private T outcome() {
    try {
      return join();
    } catch (java.util.concurrent.CompletionException failed) {
      throw raised(failed.getCause());
    }
  }

  static CancellationException cancelled(InterruptedException interrupted) {
    CancellationException cancelled =
        new CancellationException("the thread was interrupted while it waited for the gateway");
    cancelled.initCause(interrupted);
    return cancelled;
  }

  private static RuntimeException raised(@Nullable Throwable cause) {
    if (cause instanceof MxGatewayException failure) {
      // Where the caller waits says more than where the reply was read.
      failure.fillInStackTrace();
      return failure;
    }
    if (cause instanceof RuntimeException failure) {
      return failure;
    }
    return new IllegalStateException(cause);
  }
}
