package io.mxgateway.client;

/**
 * A duration as MXAccess has it; for such as {@link java.time.Duration} cannot hold.
 *
 * @param seconds any finite number
 */
public record Elapsed(double seconds) {}
