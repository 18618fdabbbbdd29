package io.mxgateway.client;

import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** One timer for the many moments of a stream, most of which pass long before they matter. */
final class EarliestTimer {
  private final Connection connection;
  private final Runnable look;
  private @Nullable Future<?> timer;
  private long at;

  /**
   * @param look runs on the worker of the connection when a moment has come; it asks for the next
   */
  EarliestTimer(Connection connection, Runnable look) {
    this.connection = connection;
    this.look = look;
  }

  /**
   * Lets it look at this moment of System.nanoTime, or before.
   *
   * @throws java.util.concurrent.RejectedExecutionException the connection is closed
   */
  synchronized void by(long moment) {
    if (timer != null && moment - at >= 0) {
      return;
    }
    stop();
    connection.armed.add(this);
    try {
      timer =
          connection.worker.schedule(this::fire, moment - System.nanoTime(), TimeUnit.NANOSECONDS);
      at = moment;
    } finally {
      if (timer == null) {
        connection.armed.remove(this);
      }
    }
  }

  private void fire() {
    synchronized (this) {
      if (timer == null) {
        return;
      }
      timer = null;
      connection.armed.remove(this);
    }
    look.run();
  }

  synchronized void stop() {
    if (timer != null) {
      timer.cancel(false);
      timer = null;
      connection.armed.remove(this);
    }
  }
}
