package io.mxgateway.client;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What single calls may have of their own: {@code
 * session.with(CallOptions.timeout(limit)).ping("x")}.
 *
 * @param timeout deadline of the call; null for the client's
 * @param correlationId sent with the call, to find it in the gateway's logs; null for a new one
 * @param clientHandles numbers of your own, unsigned, one for each item that the call adds
 *     (addItem, addItem2, addBufferedItem, addItemBulk, subscribeBulk): where the gateway announces
 *     {@link Contract#CAPABILITY_CLIENT_HANDLES}, every event of such an item carries its number,
 *     also one that comes before the reply. 0 is no number, an empty list none at all. Other calls
 *     ignore it
 */
public record CallOptions(
    @Nullable Duration timeout, @Nullable String correlationId, List<Integer> clientHandles) {
  /** The client's deadline, and a new correlation id for each call. */
  public static final CallOptions DEFAULT = new CallOptions(null, null, List.of());

  /**
   * Checks the timeout.
   *
   * @param timeout deadline of the call; null for the client's
   * @param correlationId sent with the call; null for a new one
   * @param clientHandles numbers of items, in their order
   */
  public CallOptions {
    if (timeout != null) {
      ConnectionOptions.positive("timeout", timeout);
    }
    clientHandles = List.copyOf(clientHandles);
  }

  /**
   * Options with a deadline.
   *
   * @param timeout of the call
   * @return the options
   */
  public static CallOptions timeout(Duration timeout) {
    return new CallOptions(timeout, null, List.of());
  }

  /**
   * Options with numbers for the items that a call adds.
   *
   * @param numbers one for each item, in their order
   * @return the options
   */
  public static CallOptions clientHandles(List<Integer> numbers) {
    return new CallOptions(null, null, numbers);
  }

  /** The numbers of so many items. */
  List<Integer> numbersOf(int items) {
    if (!clientHandles.isEmpty() && clientHandles.size() != items) {
      throw new IllegalArgumentException(
          "client_handles has " + clientHandles.size() + " numbers for " + items + " items");
    }
    return clientHandles;
  }

  /** The number of one item; 0 for none. */
  int number() {
    return numbersOf(1).isEmpty() ? 0 : clientHandles.get(0);
  }
}
