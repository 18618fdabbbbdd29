package io.mxgateway.client;

import io.mxgateway.proto.MxEvent;
import io.mxgateway.proto.MxValue;

/**
 * A write that was confirmed.
 *
 * @param tag that was written
 * @param value that was sent
 * @param before the first OnDataChange
 * @param completion the OnWriteComplete
 */
public record WriteOutcome(String tag, MxValue value, MxEvent before, MxEvent completion) {}
