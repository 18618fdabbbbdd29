package io.mxgateway.client;

import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import io.mxgateway.proto.BulkReadResult;
import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxStatusProxy;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One value of one tag.
 *
 * @param tag as it was subscribed
 * @param value see {@link MxValues#toJava}
 * @param quality the OPC quality word; 192 is good
 * @param sourceTime null where there is none
 * @param statuses what MXAccess said of it
 * @param workerSequence position in the session's events, unsigned; 0 for a value that was read
 *     again
 * @param isReplayed it happened while the connection was interrupted and comes late, or is older
 *     than a value that was delivered already
 * @param isRecovered it was read again because changes had been lost; what came between is not
 *     known
 * @param lostBefore changes known to be lost directly before this one: by the gateway, or by the
 *     overflow policy
 * @param raw the MxEvent or BulkReadResult
 */
public record DataChange(
    String tag,
    @Nullable Object value,
    int quality,
    @Nullable Timestamp sourceTime,
    List<MxStatusProxy> statuses,
    long workerSequence,
    boolean isReplayed,
    boolean isRecovered,
    long lostBefore,
    Message raw) {

  /**
   * Whether the quality is good and no status reports a failure.
   *
   * @return true when it is
   */
  public boolean isGood() {
    return MxQuality.isGood(quality) && statuses.stream().noneMatch(MxStatuses::isFailure);
  }

  DataChange withLostBefore(long more) {
    return more == 0
        ? this
        : new DataChange(
            tag,
            value,
            quality,
            sourceTime,
            statuses,
            workerSequence,
            isReplayed,
            isRecovered,
            lostBefore + more,
            raw);
  }

  static DataChange of(
      String tag, MxEvent event, long sequence, boolean isReplayed, boolean isRecovered) {
    return new DataChange(
        tag,
        MxValues.toJava(event.getValue()),
        event.getQuality(),
        event.hasSourceTimestamp() ? event.getSourceTimestamp() : null,
        event.getStatusesList(),
        sequence,
        isReplayed,
        isRecovered,
        0,
        event);
  }

  static DataChange of(String tag, BulkReadResult result) {
    return new DataChange(
        tag,
        MxValues.toJava(result.getValue()),
        result.getQuality(),
        result.hasSourceTimestamp() ? result.getSourceTimestamp() : null,
        result.getStatusesList(),
        0,
        false,
        true,
        0,
        result);
  }
}
