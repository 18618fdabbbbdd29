package io.mxgateway.client;

import com.google.protobuf.Timestamp;
import org.jspecify.annotations.Nullable;

/**
 * A received time or duration that Java's types or the calendar cannot hold.
 *
 * @param time the time that came; null for a duration
 * @param seconds the duration that came; 0 for a time
 */
public record OutOfRange(@Nullable Timestamp time, double seconds) {}
