package io.mxgateway.cli;

import com.google.protobuf.Timestamp;
import io.mxgateway.proto.MxDataType;
import io.mxgateway.proto.MxValue;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Times as texts. */
public final class Times {
  private static final Pattern RFC3339 =
      Pattern.compile(
          "(\\d{4}-\\d{2}-\\d{2})[Tt ](\\d{2}:\\d{2}:\\d{2})(?:\\.(\\d{1,9}))? ?([Zz]|[+-]\\d{2}:\\d{2})",
          Pattern.UNICODE_CASE);
  private static final DateTimeFormatter SECONDS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss", Locale.ROOT)
          .withResolverStyle(java.time.format.ResolverStyle.STRICT);
  private static final Pattern ZEROS = Pattern.compile("(?:000){1,3}$");

  private Times() {}

  /**
   * The moment of an RFC 3339 text with up to nine digits of a second, Z or an offset.
   *
   * @param text as it was given
   * @return the moment
   * @throws IllegalArgumentException when it is none, or beyond the years 1 to 9999
   */
  public static Timestamp parse(String text) {
    Matcher match = RFC3339.matcher(text.strip());
    if (!match.matches()) {
      throw new IllegalArgumentException(
          "\""
              + text
              + "\" is no RFC 3339 time such as 2026-01-31T12:00:00Z or …12:00:00.123456789+01:00");
    }
    long seconds;
    try {
      String zone = match.group(4);
      ZoneOffset offset = zone.equalsIgnoreCase("z") ? ZoneOffset.UTC : ZoneOffset.of(zone);
      seconds =
          LocalDateTime.parse(match.group(1) + "T" + match.group(2), SECONDS).toEpochSecond(offset);
    } catch (DateTimeException broken) {
      throw new IllegalArgumentException(
          "\"" + text + "\" is no time: " + broken.getMessage(), broken);
    }
    String digits = match.group(3) == null ? "" : match.group(3);
    int nanos = Integer.parseInt((digits + "000000000").substring(0, 9));
    Timestamp stamp = Timestamp.newBuilder().setSeconds(seconds).setNanos(nanos).build();
    if (!isValid(stamp)) {
      throw new IllegalArgumentException("\"" + text + "\" is beyond the years 1 to 9999");
    }
    return stamp;
  }

  /**
   * Whether a time has a form in protobuf's JSON.
   *
   * @param stamp as it came
   * @return true for the years 1 to 9999
   */
  public static boolean isValid(Timestamp stamp) {
    return com.google.protobuf.util.Timestamps.isValid(stamp);
  }

  /**
   * A time as protobuf's JSON has it: 0, 3, 6 or 9 digits.
   *
   * @param stamp as it came
   * @return the text; in words for a time beyond the calendar
   */
  public static String text(Timestamp stamp) {
    if (!isValid(stamp)) {
      return stamp.getSeconds() + " s " + stamp.getNanos() + " ns since 1970";
    }
    String digits =
        ZEROS.matcher(String.format(Locale.ROOT, "%09d", stamp.getNanos())).replaceFirst("");
    String whole =
        LocalDateTime.ofEpochSecond(stamp.getSeconds(), 0, ZoneOffset.UTC).format(SECONDS);
    return digits.isEmpty() ? whole + "Z" : whole + "." + digits + "Z";
  }

  /**
   * A time as a value, to the nanosecond.
   *
   * @param stamp of {@link #parse}
   * @return the message
   */
  public static MxValue value(Timestamp stamp) {
    return MxValue.newBuilder()
        .setDataType(MxDataType.MX_DATA_TYPE_TIME)
        .setVariantType("VT_DATE")
        .setTimestampValue(stamp)
        .build();
  }

  /**
   * A time as Java has it.
   *
   * @param stamp of {@link #parse}
   * @return the moment
   */
  public static Instant instant(Timestamp stamp) {
    return Instant.ofEpochSecond(stamp.getSeconds(), stamp.getNanos());
  }
}
