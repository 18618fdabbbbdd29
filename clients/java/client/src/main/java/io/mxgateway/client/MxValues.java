package io.mxgateway.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import io.mxgateway.proto.MxDataType;
import io.mxgateway.proto.MxSparseArray;
import io.mxgateway.proto.MxSparseElement;
import io.mxgateway.proto.MxValue;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZonedDateTime;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Values of Java as values of MXAccess, and back. */
public final class MxValues {
  private static final long FIRST_SECOND = -62_135_596_800L;
  private static final long LAST_SECOND = 253_402_300_799L;
  private static final int NANOS = 1_000_000_000;
  private static final BigDecimal MAX_SECONDS = BigDecimal.valueOf(Long.MAX_VALUE);

  private MxValues() {}

  /**
   * The MxValue of a Java value.
   *
   * <ul>
   *   <li>null: VT_EMPTY; Boolean: VT_BOOL; Byte, Short, Integer: VT_I4; Long, BigInteger: VT_I8
   *   <li>Float, Double: VT_R4, VT_R8; String: VT_BSTR; byte[], ByteString: VT_RECORD, as it is
   *   <li>Instant, OffsetDateTime, ZonedDateTime, Timestamp: VT_DATE; Duration, {@link Elapsed}:
   *       VT_R8 in seconds, ELAPSED_TIME
   *   <li>arrays and collections of them, also nested: VT_ARRAY of the elements' type
   *   <li>MxValue: as it is; MxSparseArray: for writes only
   * </ul>
   *
   * @param value one of these
   * @return the message
   * @throws IllegalArgumentException for NaN and infinities, for which MXAccess has no form,
   *     integers beyond 64 bits, times beyond the years 1 to 9999 or without a zone, rows of
   *     different length, an empty collection whose element type is unknown, and other types
   */
  public static MxValue of(@Nullable Object value) {
    if (value == null) {
      return MxValue.newBuilder()
          .setDataType(MxDataType.MX_DATA_TYPE_NO_DATA)
          .setVariantType("VT_EMPTY")
          .setIsNull(true)
          .build();
    }
    if (value instanceof MxValue message) {
      return message;
    }
    if (value instanceof MxSparseArray sparse) {
      return MxValue.newBuilder()
          .setDataType(sparse.getElementDataType())
          .setSparseArrayValue(sparse)
          .build();
    }
    Scalar scalar = Scalar.of(value);
    if (scalar != null) {
      return scalar.toValue();
    }
    if (value instanceof Collection || value.getClass().isArray()) {
      return ArrayValues.of(value);
    }
    throw new IllegalArgumentException(
        value.getClass().getName()
            + " has no form in MXAccess; use Boolean, Integer, Long, Float, Double, String, Instant,"
            + " Duration, byte[], or arrays and collections of them");
  }

  /** How one scalar type travels. */
  enum Form {
    BOOL("VT_BOOL", MxDataType.MX_DATA_TYPE_BOOLEAN),
    INT32("VT_I4", MxDataType.MX_DATA_TYPE_INTEGER),
    INT64("VT_I8", MxDataType.MX_DATA_TYPE_INTEGER),
    FLOAT("VT_R4", MxDataType.MX_DATA_TYPE_FLOAT),
    DOUBLE("VT_R8", MxDataType.MX_DATA_TYPE_DOUBLE),
    STRING("VT_BSTR", MxDataType.MX_DATA_TYPE_STRING),
    TIMESTAMP("VT_DATE", MxDataType.MX_DATA_TYPE_TIME),
    ELAPSED("VT_R8", MxDataType.MX_DATA_TYPE_ELAPSED_TIME),
    RAW("VT_RECORD", MxDataType.MX_DATA_TYPE_UNKNOWN);

    final String variant;
    final MxDataType dataType;

    Form(String variant, MxDataType dataType) {
      this.variant = variant;
      this.dataType = dataType;
    }
  }

  /** A plain value in the form that the message takes. */
  record Scalar(Form form, Object value) {
    /** Null for what is no scalar. */
    static @Nullable Scalar of(Object value) {
      if (value instanceof Boolean) {
        return new Scalar(Form.BOOL, value);
      }
      if (value instanceof String) {
        return new Scalar(Form.STRING, value);
      }
      if (value instanceof Number number) {
        return ofNumber(number);
      }
      if (value instanceof Elapsed elapsed) {
        return new Scalar(Form.ELAPSED, finite(elapsed.seconds()));
      }
      if (value instanceof Duration duration) {
        double seconds =
            BigDecimal.valueOf(duration.getSeconds())
                .add(BigDecimal.valueOf(duration.getNano(), 9))
                .doubleValue();
        return new Scalar(Form.ELAPSED, seconds);
      }
      if (value instanceof byte[] bytes) {
        return new Scalar(Form.RAW, ByteString.copyFrom(bytes));
      }
      if (value instanceof ByteString) {
        return new Scalar(Form.RAW, value);
      }
      return ofTime(value);
    }

    private static @Nullable Scalar ofNumber(Number value) {
      if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
        return new Scalar(Form.INT32, value.intValue());
      }
      if (value instanceof Long) {
        return new Scalar(Form.INT64, value);
      }
      if (value instanceof Float) {
        return new Scalar(Form.FLOAT, (float) finite(value.floatValue()));
      }
      if (value instanceof Double) {
        return new Scalar(Form.DOUBLE, finite(value.doubleValue()));
      }
      if (value instanceof BigInteger big) {
        if (big.bitLength() > Long.SIZE - 1) {
          throw new IllegalArgumentException(big + " is beyond 64 bits");
        }
        return new Scalar(Form.INT64, big.longValue());
      }
      return null;
    }

    private static @Nullable Scalar ofTime(Object value) {
      Timestamp stamp;
      if (value instanceof Timestamp given) {
        stamp = given;
      } else {
        Instant moment;
        if (value instanceof Instant given) {
          moment = given;
        } else if (value instanceof OffsetDateTime given) {
          moment = given.toInstant();
        } else if (value instanceof ZonedDateTime given) {
          moment = given.toInstant();
        } else {
          return null;
        }
        stamp =
            Timestamp.newBuilder()
                .setSeconds(moment.getEpochSecond())
                .setNanos(moment.getNano())
                .build();
      }
      if (!isValid(stamp)) {
        throw new IllegalArgumentException(value + " is beyond the years 1 to 9999");
      }
      return new Scalar(Form.TIMESTAMP, stamp);
    }

    private static double finite(double number) {
      if (!Double.isFinite(number)) {
        throw new IllegalArgumentException(
            number + " cannot be written: MXAccess has no form for NaN and infinities");
      }
      return number;
    }

    MxValue toValue() {
      MxValue.Builder made =
          MxValue.newBuilder().setDataType(form.dataType).setVariantType(form.variant);
      switch (form) {
        case BOOL -> made.setBoolValue((Boolean) value);
        case INT32 -> made.setInt32Value((Integer) value);
        case INT64 -> made.setInt64Value((Long) value);
        case FLOAT -> made.setFloatValue((Float) value);
        case DOUBLE, ELAPSED -> made.setDoubleValue((Double) value);
        case STRING -> made.setStringValue((String) value);
        case TIMESTAMP -> made.setTimestampValue((Timestamp) value);
        case RAW -> made.setRawValue((ByteString) value);
      }
      return made.build();
    }
  }

  /** The value of a source time: what {@link #of} takes as a time, or an MxValue. */
  static MxValue ofTimestamp(@Nullable Object timestamp) {
    if (timestamp instanceof MxValue message) {
      return message;
    }
    Scalar scalar = timestamp == null ? null : Scalar.of(timestamp);
    if (scalar == null || scalar.form != Form.TIMESTAMP) {
      throw new IllegalArgumentException(
          "timestamp is no time; give an Instant, OffsetDateTime, ZonedDateTime, Timestamp or MxValue");
    }
    return scalar.toValue();
  }

  /**
   * The Java value of an MxValue, the inverse of {@link #of}. It never fails: null is null, an
   * array an unmodifiable List (nested for several dimensions), a sparse array a Map from index to
   * value, what has no form an {@link Opaque}, a time or duration that Java cannot hold an {@link
   * OutOfRange}.
   *
   * @param value as it came
   * @return Boolean, Integer, Long, Float, Double, String, Instant, Duration, byte[], or these
   */
  public static @Nullable Object toJava(MxValue value) {
    if (value.getIsNull()) {
      return null;
    }
    boolean isElapsed = value.getDataType() == MxDataType.MX_DATA_TYPE_ELAPSED_TIME;
    return switch (value.getKindCase()) {
      case BOOL_VALUE -> value.getBoolValue();
      case INT32_VALUE -> value.getInt32Value();
      case INT64_VALUE -> value.getInt64Value();
      case FLOAT_VALUE ->
          isElapsed ? duration(value.getFloatValue()) : (Object) value.getFloatValue();
      case DOUBLE_VALUE ->
          isElapsed ? duration(value.getDoubleValue()) : (Object) value.getDoubleValue();
      case STRING_VALUE -> value.getStringValue();
      case TIMESTAMP_VALUE -> moment(value.getTimestampValue());
      case RAW_VALUE -> value.getRawValue().toByteArray();
      case ARRAY_VALUE -> ArrayValues.toJava(value.getArrayValue(), isElapsed);
      case SPARSE_ARRAY_VALUE -> {
        Map<Long, @Nullable Object> found = new LinkedHashMap<>();
        for (MxSparseElement element : value.getSparseArrayValue().getElementsList()) {
          found.put(Integer.toUnsignedLong(element.getIndex()), toJava(element.getValue()));
        }
        yield found;
      }
      case KIND_NOT_SET -> value.getUnknownFields().asMap().isEmpty() ? null : new Opaque(value);
    };
  }

  static boolean isValid(Timestamp stamp) {
    return stamp.getSeconds() >= FIRST_SECOND
        && stamp.getSeconds() <= LAST_SECOND
        && stamp.getNanos() >= 0
        && stamp.getNanos() < NANOS;
  }

  static Object moment(Timestamp stamp) {
    return isValid(stamp)
        ? Instant.ofEpochSecond(stamp.getSeconds(), stamp.getNanos())
        : new OutOfRange(stamp, 0);
  }

  static Object duration(double seconds) {
    if (!Double.isFinite(seconds)) {
      return new OutOfRange(null, seconds);
    }
    BigDecimal exact = new BigDecimal(seconds).setScale(9, RoundingMode.HALF_EVEN);
    BigDecimal whole = exact.setScale(0, RoundingMode.FLOOR);
    if (whole.abs().compareTo(MAX_SECONDS) > 0) {
      return new OutOfRange(null, seconds);
    }
    return Duration.ofSeconds(
        whole.longValueExact(), exact.subtract(whole).movePointRight(9).longValueExact());
  }
}
