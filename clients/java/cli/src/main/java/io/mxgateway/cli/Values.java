package io.mxgateway.cli;

import com.google.protobuf.Timestamp;
import io.mxgateway.client.Elapsed;
import io.mxgateway.client.MxValues;
import io.mxgateway.proto.MxValue;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Values as texts of a type. */
public final class Values {
  private static final Map<String, Class<?>> TYPES =
      Map.of(
          "bool", Boolean.class,
          "int32", Integer.class,
          "int64", Long.class,
          "float", Float.class,
          "double", Double.class,
          "string", String.class,
          "timestamp", Timestamp.class,
          "elapsed", Elapsed.class);
  private static final String NAMES =
      "bool, int32, int64, float, double, string, timestamp, elapsed";
  private static final Pattern COMMA_NUMBER = Pattern.compile("[+-]?\\d+,\\d+");
  private static final Pattern FLOAT =
      Pattern.compile("[+-]?(?:\\d+(?:_?\\d)*\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?");
  private static final Pattern NOT_FINITE =
      Pattern.compile("[+-]?(?:nan|inf|infinity)", Pattern.CASE_INSENSITIVE);
  private static final Pattern CLOCK =
      Pattern.compile("([+-]?)(?:(\\d+) ?(?:d|days?),? )?(\\d+):([0-5]\\d):([0-5]\\d(?:\\.\\d+)?)");
  private static final Pattern ISO =
      Pattern.compile("([+-]?)P(?:(\\d+)D)?(?:T(?:(\\d+)H)?(?:(\\d+)M)?(?:(\\d+(?:\\.\\d+)?)S)?)?");
  private static final double[] UNITS = {86_400, 3_600, 60, 1};

  private Values() {}

  /**
   * The MxValue of a text.
   *
   * @param text as it was given
   * @param type name of a type, with [] for an array
   * @param flag names the option in the text of an exception
   * @return the message
   * @throws IllegalArgumentException when the text is none of the type; the cause is kept
   */
  public static MxValue parse(String text, String type, String flag) {
    try {
      boolean isArray = type.endsWith("[]");
      String scalar = isArray ? type.substring(0, type.length() - 2) : type;
      if (!TYPES.containsKey(scalar)) {
        throw new IllegalArgumentException("the type is none of " + NAMES);
      }
      if (!isArray) {
        return MxValues.of(
            scalar.equals("string")
                ? text
                : java.util.Objects.requireNonNull(one(text.strip(), scalar)));
      }
      return array(rows(text), scalar);
    } catch (IllegalArgumentException broken) {
      throw new IllegalArgumentException(
          flag + ": \"" + text + "\" is no " + type + ": " + broken.getMessage(), broken);
    }
  }

  private static MxValue array(List<String> elements, String scalar) {
    Object made =
        java.lang.reflect.Array.newInstance(
            java.util.Objects.requireNonNull(TYPES.get(scalar)), elements.size());
    for (int index = 0; index < elements.size(); index++) {
      String element = elements.get(index);
      if (!scalar.equals("string") && element.isBlank()) {
        throw new IllegalArgumentException("an element is empty");
      }
      java.lang.reflect.Array.set(
          made, index, scalar.equals("string") ? element : one(element.strip(), scalar));
    }
    return MxValues.of(made);
  }

  /** The elements of a list in brackets or with commas between. */
  private static List<String> rows(String text) {
    String trimmed = text.strip();
    if (trimmed.startsWith("[") && trimmed.endsWith("]") && trimmed.length() > 1) {
      trimmed = trimmed.substring(1, trimmed.length() - 1);
      if (trimmed.isBlank()) {
        return new ArrayList<>();
      }
    }
    return Lists.of(trimmed);
  }

  private static Object one(String text, String scalar) {
    return switch (scalar) {
      case "bool" ->
          switch (text.toLowerCase(Locale.ROOT)) {
            case "true", "1", "on", "yes" -> true;
            case "false", "0", "off", "no" -> false;
            default -> throw new IllegalArgumentException("say true or false");
          };
      case "int32" -> (int) whole(text, Integer.MIN_VALUE, Integer.MAX_VALUE);
      case "int64" -> whole(text, Long.MIN_VALUE, Long.MAX_VALUE);
      case "float" -> single(number(text), text);
      case "double" -> number(text);
      case "timestamp" -> Times.parse(text);
      case "elapsed" -> new Elapsed(elapsed(text));
      default -> text;
    };
  }

  private static float single(double number, String text) {
    float found = Float.parseFloat(text);
    if (Float.isInfinite(found) && !Double.isInfinite(number)) {
      throw new IllegalArgumentException("the number is beyond 32 bits");
    }
    return found;
  }

  /** A whole number, decimal or with 0x, 0o or 0b before it. */
  private static long whole(String text, long least, long most) {
    String digits = text.replaceFirst("^[+-]", "").toLowerCase(Locale.ROOT);
    int radix =
        digits.startsWith("0x")
            ? 16
            : digits.startsWith("0o") ? 8 : digits.startsWith("0b") ? 2 : 10;
    if (radix != 10) {
      digits = digits.substring(2);
    }
    if (digits.isEmpty() || digits.startsWith("-") || digits.startsWith("+")) {
      throw new NumberFormatException("it is no whole number");
    }
    BigInteger number =
        new BigInteger(
            (text.startsWith("-") ? "-" : "") + digits.replaceAll("(?<=[0-9a-f])_(?=[0-9a-f])", ""),
            radix);
    if (number.compareTo(BigInteger.valueOf(least)) < 0
        || number.compareTo(BigInteger.valueOf(most)) > 0) {
      throw new IllegalArgumentException("the number is not within " + least + " and " + most);
    }
    return number.longValueExact();
  }

  private static double number(String text) {
    if (COMMA_NUMBER.matcher(text).matches()) {
      throw new IllegalArgumentException(
          "a comma separates the elements of an array; say "
              + text.replace(',', '.')
              + " with a point");
    }
    if (NOT_FINITE.matcher(text).matches()) {
      throw new IllegalArgumentException("MXAccess has no form for NaN and infinities");
    }
    if (!FLOAT.matcher(text).matches()) {
      throw new NumberFormatException("it is no number");
    }
    double found = Double.parseDouble(text.replace("_", ""));
    if (Double.isInfinite(found)) {
      throw new IllegalArgumentException("the number is beyond 64 bits");
    }
    return found;
  }

  /** Seconds: a number, with or without s, a clock's form with days before it, or ISO 8601. */
  private static double elapsed(String text) {
    Matcher match = CLOCK.matcher(text);
    if (!match.matches()) {
      match = ISO.matcher(text.toUpperCase(Locale.ROOT));
      if (!match.matches()) {
        return number((text.endsWith("s") ? text.substring(0, text.length() - 1) : text).strip());
      }
    }
    double total = 0;
    boolean isEmpty = true;
    for (int part = 0; part < UNITS.length; part++) {
      String digits = match.group(part + 2);
      if (digits != null) {
        isEmpty = false;
        total += Double.parseDouble(digits) * UNITS[part];
      }
    }
    if (isEmpty) {
      throw new IllegalArgumentException("say seconds such as 90, or a duration such as 0:01:30");
    }
    return match.group(1).equals("-") ? -total : total;
  }
}
