package io.mxgateway.client;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The figures of a subscription.
 *
 * @param tags that are wanted, each once
 * @param failures why some of them were refused, or have no value
 * @param gaps how often changes were lost between plant and queue
 * @param lost how many events are known to be lost in them
 * @param dropped by the overflow policy
 * @param waiting in the queue now
 * @param interruptions of the stream
 * @param newSessions that took the place of lost ones
 * @param lastInterruption why the stream broke last; null before the first time
 */
public record SubscriptionStats(
    List<String> tags,
    Map<String, String> failures,
    long gaps,
    long lost,
    long dropped,
    int waiting,
    int interruptions,
    int newSessions,
    @Nullable MxGatewayException lastInterruption) {}
