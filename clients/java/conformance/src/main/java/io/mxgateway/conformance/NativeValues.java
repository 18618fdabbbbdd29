package io.mxgateway.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.mxgateway.client.Elapsed;
import io.mxgateway.client.Opaque;
import io.mxgateway.client.OutOfRange;
import io.mxgateway.proto.MxValue;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Java's values as the suite writes them, and back. */
final class NativeValues {
  private static final Map<String, Object> EMPTY =
      Map.of(
          "bool", new boolean[0],
          "int32", new int[0],
          "int64", new long[0],
          "float", new float[0],
          "double", new double[0],
          "string", new String[0],
          "timestamp", new Instant[0],
          "elapsed", new Duration[0],
          "raw", new byte[0][]);
  // Microseconds, as the suite shows times.
  private static final DateTimeFormatter MICROSECONDS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private NativeValues() {}

  /** The Java value of a tagged one. */
  static @Nullable Object of(@Nullable JsonElement tagged) {
    if (tagged == null) {
      throw new IllegalArgumentException("no value");
    }
    Map.Entry<String, JsonElement> only = tagged.getAsJsonObject().entrySet().iterator().next();
    return switch (only.getKey()) {
      case "mx_value" -> Arguments.parsed(only.getValue(), MxValue.newBuilder());
      case "null" -> null;
      case "array" -> {
        JsonObject array = only.getValue().getAsJsonObject();
        yield elements(array.get("type").getAsString(), array.getAsJsonArray("values"));
      }
      default -> scalar(only.getKey(), only.getValue());
    };
  }

  private static @Nullable Object elements(String type, JsonArray values) {
    if (values.isEmpty()) {
      return EMPTY.get(type);
    }
    List<@Nullable Object> made = new ArrayList<>();
    for (JsonElement each : values) {
      if (each.isJsonNull()) {
        made.add(null);
      } else {
        made.add(each.isJsonArray() ? elements(type, each.getAsJsonArray()) : scalar(type, each));
      }
    }
    return made;
  }

  private static Object scalar(String type, JsonElement given) {
    return switch (type) {
      case "bool" -> given.getAsBoolean();
      case "int32" -> given.getAsInt();
      case "int64" -> {
        java.math.BigInteger wide = new java.math.BigInteger(given.getAsString());
        yield wide.bitLength() < Long.SIZE ? (Object) wide.longValue() : wide;
      }
      case "float" -> given.getAsFloat();
      case "double" -> given.getAsDouble();
      case "elapsed" -> new Elapsed(given.getAsDouble());
      case "string" -> given.getAsString();
      case "timestamp" -> moment(given.getAsString());
      case "raw" -> Base64.getDecoder().decode(given.getAsString());
      default -> throw new IllegalArgumentException("no value " + type);
    };
  }

  private static Object moment(String text) {
    try {
      return OffsetDateTime.parse(text).toInstant();
    } catch (DateTimeParseException noZone) {
      return LocalDateTime.parse(text);
    }
  }

  /** A Java value by its type. */
  static JsonObject tagged(@Nullable Object value, MxValue source) {
    JsonObject object = new JsonObject();
    if (value == null) {
      object.addProperty("null", true);
    } else if (value instanceof Opaque) {
      object.addProperty("opaque", true);
    } else if (value instanceof OutOfRange) {
      return shown(value).getAsJsonObject();
    } else if (value instanceof List<?> list) {
      JsonObject array = new JsonObject();
      array.addProperty(
          "type",
          source
              .getArrayValue()
              .getValuesCase()
              .name()
              .toLowerCase(Locale.ROOT)
              .replace("_values", ""));
      array.add("values", shown(list));
      object.add("array", array);
    } else if (value instanceof Map<?, ?> sparse) {
      JsonObject elements = new JsonObject();
      sparse.forEach((index, each) -> elements.add(String.valueOf(index), shown(each)));
      object.add("sparse", elements);
    } else {
      object.add(nameOf(value), value instanceof Long ? text(value) : shown(value));
    }
    return object;
  }

  private static String nameOf(Object value) {
    return switch (value.getClass().getSimpleName()) {
      case "Boolean" -> "bool";
      case "Integer" -> "int32";
      case "Long" -> "int64";
      case "Float" -> "float";
      case "Double" -> "double";
      case "String" -> "string";
      case "Instant" -> "timestamp";
      case "Duration" -> "elapsed";
      default -> "raw";
    };
  }

  private static JsonPrimitive text(Object value) {
    return new JsonPrimitive(String.valueOf(value));
  }

  private static JsonElement shown(@Nullable Object value) {
    if (value == null) {
      return JsonNull.INSTANCE;
    }
    if (value instanceof List<?> list) {
      JsonArray array = new JsonArray();
      list.forEach(each -> array.add(shown(each)));
      return array;
    }
    if (value instanceof Boolean flag) {
      return new JsonPrimitive(flag);
    }
    if (value instanceof Float || value instanceof Double) {
      double number = ((Number) value).doubleValue();
      return Double.isFinite(number) ? new JsonPrimitive((Number) value) : text(value);
    }
    if (value instanceof Number number) {
      return new JsonPrimitive(number);
    }
    if (value instanceof Instant moment) {
      return new JsonPrimitive(MICROSECONDS.format(moment));
    }
    if (value instanceof Duration duration) {
      return new JsonPrimitive(
          java.math.BigDecimal.valueOf(duration.getSeconds())
              .add(java.math.BigDecimal.valueOf(duration.getNano(), 9))
              .doubleValue());
    }
    if (value instanceof byte[] bytes) {
      return new JsonPrimitive(Base64.getEncoder().encodeToString(bytes));
    }
    if (value instanceof OutOfRange far) {
      JsonObject raw = new JsonObject();
      if (far.time() == null) {
        raw.add("elapsed", shown(far.seconds()));
      } else {
        raw.addProperty("seconds", String.valueOf(far.time().getSeconds()));
        raw.addProperty("nanos", far.time().getNanos());
      }
      JsonObject object = new JsonObject();
      object.add("out_of_range", raw);
      return object;
    }
    return text(value);
  }
}
