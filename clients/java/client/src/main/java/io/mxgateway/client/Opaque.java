package io.mxgateway.client;

import io.mxgateway.proto.MxValue;

/**
 * A received value without a form of its own.
 *
 * @param value what came
 */
public record Opaque(MxValue value) {}
