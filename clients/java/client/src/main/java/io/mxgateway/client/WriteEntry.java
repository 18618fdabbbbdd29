package io.mxgateway.client;

import org.jspecify.annotations.Nullable;

/**
 * One entry of writeBulk and, with a timestamp, of write2Bulk.
 *
 * @param itemHandle of addItem
 * @param value see {@link MxValues#of}
 * @param timestamp an Instant, another time with a zone, or an MxValue; of write2Bulk only
 * @param userId of this entry alone; 0 takes that of the call
 */
public record WriteEntry(
    int itemHandle, @Nullable Object value, @Nullable Object timestamp, int userId) {
  /**
   * An entry without time and user of its own.
   *
   * @param itemHandle of addItem
   * @param value see {@link MxValues#of}
   */
  public WriteEntry(int itemHandle, @Nullable Object value) {
    this(itemHandle, value, null, 0);
  }

  int userOr(int userOfCall) {
    return userId == 0 ? userOfCall : userId;
  }
}
