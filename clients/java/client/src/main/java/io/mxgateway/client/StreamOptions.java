package io.mxgateway.client;

import io.mxgateway.proto.BackpressurePolicy;
import io.mxgateway.proto.StreamEventsRequest;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** How a session's events are streamed; from now on by default. */
public final class StreamOptions {
  private final StreamEventsRequest.Builder request = StreamEventsRequest.newBuilder();
  @Nullable Duration timeout;

  /** The defaults. */
  public StreamOptions() {}

  /**
   * Goes on after the event that you have; the stream begins with an event whose replay_gap is set
   * when that is too long ago.
   *
   * @param workerSequence its worker_sequence, unsigned; 0 is a fresh stream
   * @return this
   */
  public StreamOptions after(long workerSequence) {
    request.setAfterWorkerSequence(workerSequence);
    return this;
  }

  /**
   * Begins with the session's first event, also when another stream had it: for going on after a
   * stream that broke before its first event arrived.
   *
   * @return this
   */
  public StreamOptions fromBeginning() {
    request.setFromBeginning(true);
    return this;
  }

  /**
   * What the gateway does when this stream is not read fast enough.
   *
   * @param policy of this stream
   * @return this
   */
  public StreamOptions backpressure(BackpressurePolicy policy) {
    request.setBackpressurePolicy(policy);
    return this;
  }

  /**
   * Bounds what the gateway puts into one message; 0 for its own bounds.
   *
   * @param events at most
   * @param bytes about
   * @return this
   */
  public StreamOptions maxBatch(int events, int bytes) {
    request.setMaxBatchEvents(events).setMaxBatchBytes(bytes);
    return this;
  }

  /**
   * After a gap the gateway itself sends the last value of each advised item, marked as recovered;
   * where it announced {@link Contract#CAPABILITY_RECOVERED_VALUES}.
   *
   * @return this
   */
  public StreamOptions recoverGaps() {
    request.setRecoverGaps(true);
    return this;
  }

  /**
   * The deadline of this stream; none by default.
   *
   * @param limit positive
   * @return this
   */
  public StreamOptions timeout(Duration limit) {
    timeout = ConnectionOptions.positive("timeout", limit);
    return this;
  }

  StreamEventsRequest request(String sessionId) {
    if (request.getAfterWorkerSequence() != 0 && request.getFromBeginning()) {
      throw new IllegalArgumentException(
          "give either after or fromBeginning (after_worker_sequence, from_beginning)");
    }
    return request.setSessionId(sessionId).build();
  }
}
