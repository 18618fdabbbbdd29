package io.mxgateway.client;

import org.jspecify.annotations.Nullable;

/**
 * One entry of writeSecuredBulk and, with a timestamp, of writeSecured2Bulk.
 *
 * @param itemHandle of addItem
 * @param currentUserId the operator
 * @param verifierUserId the verifier; the operator again where one signature is enough
 * @param value see {@link MxValues#of}
 * @param timestamp an Instant, another time with a zone, or an MxValue; of writeSecured2Bulk only
 */
public record SecuredEntry(
    int itemHandle,
    int currentUserId,
    int verifierUserId,
    @Nullable Object value,
    @Nullable Object timestamp) {}
