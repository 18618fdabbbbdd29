package io.mxgateway.client;

import com.google.protobuf.MessageLite;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * A server's stream of messages. Closing it ends it, which never aborts a COM call. Messages that
 * nobody has taken stay in gRPC's window, so a slow reader is felt by the gateway and not in
 * memory. Its methods may be called from any thread; each message goes to one of those that wait.
 *
 * @param <M> the messages
 */
public final class MessageStream<M> implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Core<M> core;
  private final Cleaner.Cleanable forgotten;

  private MessageStream(Core<M> core) {
    this.core = core;
    // A stream that is forgotten ends its call.
    this.forgotten = CLEANER.register(this, core::close);
  }

  /** Starts the call; it is under way when this returns. */
  static <Q extends MessageLite, M> MessageStream<M> open(
      Connection connection,
      MethodDescriptor<Q, M> method,
      RpcErrors what,
      @Nullable Duration timeout,
      int ahead,
      Q request) {
    if (connection.isClosed()) {
      throw connection.closedFailure(what.what());
    }
    Connection.Authorized headers = connection.authorized();
    Duration limit = timeout == null ? connection.options.streamTimeout : timeout;
    io.grpc.CallOptions options = io.grpc.CallOptions.DEFAULT;
    if (limit != null) {
      options = options.withDeadlineAfter(limit.toNanos(), TimeUnit.NANOSECONDS);
    }
    ClientCall<Q, M> call = connection.newCall(method, options);
    Core<M> core = new Core<>(connection, call, what.withKey(headers.key()));
    call.start(core, headers.metadata());
    call.request(ahead);
    call.sendMessage(request);
    call.halfClose();
    return new MessageStream<>(core);
  }

  /**
   * Waits for the next message. An interrupt ends the wait only.
   *
   * @return the message, or null after an ordinary end or after close
   * @throws MxGatewayException how the stream ended; every further call throws it too
   * @throws java.util.concurrent.CancellationException this thread was interrupted
   */
  public @Nullable M next() {
    return core.next(Long.MAX_VALUE);
  }

  /**
   * {@link #next()} for some time.
   *
   * @param limit how long to wait
   * @return the message, or null after an ordinary end or after close
   * @throws MxTimeoutException nothing came in time; the stream goes on
   */
  public @Nullable M next(Duration limit) {
    return core.next(limit.toNanos());
  }

  /**
   * The messages until the stream ends. Close the stream, or this, when it is left early.
   *
   * @return a sequential stream
   */
  public Stream<M> stream() {
    Iterator<M> iterator =
        new Iterator<>() {
          private @Nullable M ahead;

          @Override
          public boolean hasNext() {
            if (ahead == null) {
              ahead = next0();
            }
            return ahead != null;
          }

          private @Nullable M next0() {
            return MessageStream.this.next();
          }

          @Override
          public M next() {
            if (!hasNext()) {
              throw new NoSuchElementException();
            }
            M taken = ahead;
            ahead = null;
            return taken;
          }
        };
    return StreamSupport.stream(
            Spliterators.spliteratorUnknownSize(
                iterator, Spliterator.ORDERED | Spliterator.NONNULL),
            false)
        .onClose(this::close);
  }

  /**
   * Whether the gateway has accepted the stream, or has refused it, which next tells. A gateway
   * that says nothing before its first message lets wait until then.
   *
   * @return completes with true when it is accepted
   */
  public CompletableFuture<Boolean> opened() {
    return core.opened.copy();
  }

  /** {@link #opened()} where its callbacks are short. */
  CompletableFuture<Boolean> openedAtOnce() {
    return core.opened;
  }

  /** Ends the stream at once. Idempotent; a stream that has ended stays as it ended. */
  @Override
  public void close() {
    forgotten.clean();
  }

  /** What a stream holds; apart, so that a stream that is forgotten can be told. */
  private static final class Core<M> extends ClientCall.Listener<M> {
    final CompletableFuture<Boolean> opened = new CompletableFuture<>();
    private final Connection connection;
    private final ClientCall<?, M> call;
    private final RpcErrors what;
    private final ArrayDeque<M> arrived = new ArrayDeque<>();
    private boolean isOver;
    private @Nullable MxGatewayException failure;

    Core(Connection connection, ClientCall<?, M> call, RpcErrors what) {
      this.connection = connection;
      this.call = call;
      this.what = what;
    }

    @Nullable M next(long nanos) {
      M message;
      synchronized (this) {
        long until = nanos == Long.MAX_VALUE ? 0 : System.nanoTime() + nanos;
        while (arrived.isEmpty() && !isOver) {
          try {
            if (nanos == Long.MAX_VALUE) {
              wait();
            } else {
              long left = until - System.nanoTime();
              if (left <= 0) {
                throw Failure.of(
                    ErrorKind.TIMEOUT,
                    what.what()
                        + ": nothing came within "
                        + ConnectionOptions.seconds(Duration.ofNanos(nanos)));
              }
              TimeUnit.NANOSECONDS.timedWait(
                  this, Math.max(left, TimeUnit.MILLISECONDS.toNanos(1)));
            }
          } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw CallFuture.cancelled(interrupted);
          }
        }
        if (arrived.isEmpty()) {
          if (failure != null) {
            throw failure;
          }
          return null;
        }
        message = arrived.remove();
      }
      call.request(1);
      return message;
    }

    @Override
    public void onHeaders(Metadata headers) {
      opened.complete(true);
    }

    @Override
    public synchronized void onMessage(M message) {
      if (!isOver) {
        arrived.add(message);
        notifyAll();
      }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      synchronized (this) {
        // The first end wins.
        if (!isOver) {
          isOver = true;
          failure = status.isOk() ? null : connection.mapped(what, status, trailers, "stream");
          notifyAll();
        }
      }
      opened.complete(false);
    }

    void close() {
      synchronized (this) {
        if (!isOver) {
          isOver = true;
          arrived.clear();
          notifyAll();
        }
      }
      call.cancel("the stream was closed", null);
      opened.complete(false);
    }
  }
}
