package io.mxgateway.client;

/** Reads OPC quality words. */
public final class MxQuality {
  private static final int MAIN = 0xC0;
  private static final int WITHOUT_LIMIT = 0xFC;

  private MxQuality() {}

  /**
   * Whether a quality is good, for example 192.
   *
   * @param quality the OPC quality word
   * @return true when it is
   */
  public static boolean isGood(int quality) {
    return (quality & MAIN) == MAIN;
  }

  /**
   * Whether a quality is uncertain, for example 64.
   *
   * @param quality the OPC quality word
   * @return true when it is
   */
  public static boolean isUncertain(int quality) {
    return (quality & MAIN) == 0x40;
  }

  /**
   * Whether a quality is bad; "initializing" (32) is among them.
   *
   * @param quality the OPC quality word
   * @return true when it is
   */
  public static boolean isBad(int quality) {
    return (quality & MAIN) == 0;
  }

  /**
   * The quality in words, for example Good for 192; limit bits are left out.
   *
   * @param quality the OPC quality word
   * @return one word
   */
  public static String name(int quality) {
    String name = Tables.QUALITY_NAMES.get(quality & WITHOUT_LIMIT);
    if (name != null) {
      return name;
    }
    return isGood(quality) ? "Good" : isUncertain(quality) ? "Uncertain" : "Bad";
  }
}
