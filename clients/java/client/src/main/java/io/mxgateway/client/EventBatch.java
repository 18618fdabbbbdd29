package io.mxgateway.client;

import com.google.protobuf.Timestamp;
import io.mxgateway.proto.MxEvent;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What waited for a stream, in order.
 *
 * @param events the events
 * @param replayed how many at the head come from the gateway's replay ring; known only where it
 *     sends batches
 * @param received when the gateway received the youngest of them; null where it sends no batches,
 *     and then the events say it themselves
 */
public record EventBatch(List<MxEvent> events, int replayed, @Nullable Timestamp received) {}
