package io.mxgateway.client;

import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.concurrent.atomic.AtomicLong;

/** Makes correlation ids. */
public final class CorrelationIds {
  private static final String PREFIX = HexFormat.of().toHexDigits(new SecureRandom().nextLong());
  private static final AtomicLong COUNT = new AtomicLong();

  private CorrelationIds() {}

  /**
   * A new correlation id: never empty, unique among processes, safe from any thread. Its text is
   * opaque: compare it, log it, but never parse it.
   *
   * @return the id
   */
  public static String next() {
    return PREFIX + "-" + Long.toHexString(COUNT.incrementAndGet());
  }
}
