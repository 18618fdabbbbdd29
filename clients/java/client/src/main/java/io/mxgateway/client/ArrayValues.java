package io.mxgateway.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import io.mxgateway.client.MxValues.Form;
import io.mxgateway.client.MxValues.Scalar;
import io.mxgateway.proto.BoolArray;
import io.mxgateway.proto.DoubleArray;
import io.mxgateway.proto.FloatArray;
import io.mxgateway.proto.Int32Array;
import io.mxgateway.proto.Int64Array;
import io.mxgateway.proto.MxArray;
import io.mxgateway.proto.MxDataType;
import io.mxgateway.proto.MxValue;
import io.mxgateway.proto.RawArray;
import io.mxgateway.proto.StringArray;
import io.mxgateway.proto.TimestampArray;
import java.lang.reflect.Array;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZonedDateTime;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Arrays of MXAccess: flat elements row by row, with the length of each dimension. */
final class ArrayValues {
  private static final int MAX_DIMENSIONS = 60;
  private static final long MAX_EMPTY_ROWS = 1_000_000;
  private static final Set<Form> WIDENED = EnumSet.of(Form.INT32, Form.INT64, Form.DOUBLE);
  private static final Map<Class<?>, Form> FORMS =
      Map.ofEntries(
          Map.entry(boolean.class, Form.BOOL),
          Map.entry(Boolean.class, Form.BOOL),
          Map.entry(byte.class, Form.INT32),
          Map.entry(Byte.class, Form.INT32),
          Map.entry(short.class, Form.INT32),
          Map.entry(Short.class, Form.INT32),
          Map.entry(int.class, Form.INT32),
          Map.entry(Integer.class, Form.INT32),
          Map.entry(long.class, Form.INT64),
          Map.entry(Long.class, Form.INT64),
          Map.entry(float.class, Form.FLOAT),
          Map.entry(Float.class, Form.FLOAT),
          Map.entry(double.class, Form.DOUBLE),
          Map.entry(Double.class, Form.DOUBLE),
          Map.entry(String.class, Form.STRING),
          Map.entry(Instant.class, Form.TIMESTAMP),
          Map.entry(OffsetDateTime.class, Form.TIMESTAMP),
          Map.entry(ZonedDateTime.class, Form.TIMESTAMP),
          Map.entry(Timestamp.class, Form.TIMESTAMP),
          Map.entry(Duration.class, Form.ELAPSED),
          Map.entry(Elapsed.class, Form.ELAPSED),
          Map.entry(byte[].class, Form.RAW),
          Map.entry(ByteString.class, Form.RAW));

  private final Set<Form> forms = EnumSet.noneOf(Form.class);
  private final List<Object> values = new ArrayList<>();
  private final List<Integer> dimensions = new ArrayList<>();

  private ArrayValues() {}

  static MxValue of(Object given) {
    ArrayValues all = new ArrayValues();
    all.add(given, 0);
    Form form = all.form(given.getClass());
    MxArray.Builder array =
        MxArray.newBuilder()
            .setElementDataType(form.dataType)
            .setVariantType("VT_ARRAY|" + form.variant)
            .addAllDimensions(all.dimensions);
    fill(array, form, all.values);
    return MxValue.newBuilder()
        .setDataType(form.dataType)
        .setVariantType(array.getVariantType())
        .setArrayValue(array)
        .build();
  }

  private void add(Object given, int depth) {
    List<?> rows = rows(given);
    if (depth == dimensions.size()) {
      if (!values.isEmpty()) {
        throw new IllegalArgumentException("a nested array needs rows of one depth");
      }
      dimensions.add(rows.size());
    } else if (dimensions.get(depth) != rows.size()) {
      throw new IllegalArgumentException("a nested array needs rows of one length");
    }
    for (Object element : rows) {
      if (element == null) {
        throw new IllegalArgumentException("null has no place within an array");
      }
      Scalar scalar = Scalar.of(element);
      if (scalar != null) {
        if (depth != dimensions.size() - 1) {
          throw new IllegalArgumentException("a nested array needs rows of one depth");
        }
        forms.add(scalar.form());
        values.add(scalar.value());
      } else if (element instanceof Collection || element.getClass().isArray()) {
        add(element, depth + 1);
      } else {
        throw new IllegalArgumentException(
            element.getClass().getName() + " has no form in MXAccess");
      }
    }
  }

  private static List<?> rows(Object given) {
    if (given instanceof Collection<?> collection) {
      return new ArrayList<>(collection);
    }
    return new AbstractList<Object>() {
      @Override
      public Object get(int index) {
        return Array.get(given, index);
      }

      @Override
      public int size() {
        return Array.getLength(given);
      }
    };
  }

  /**
   * The one type of the elements: integers of both widths become wide, and doubles beside doubles.
   */
  private Form form(Class<?> type) {
    if (forms.size() == 1) {
      return forms.iterator().next();
    }
    if (forms.isEmpty()) {
      Class<?> element = type;
      while (element.isArray() && element != byte[].class) {
        element = element.getComponentType();
      }
      Form form = FORMS.get(element);
      if (form == null) {
        throw new IllegalArgumentException(
            "an empty array does not say its type; use an array of a scalar type, for example new int[0]");
      }
      return form;
    }
    if (!WIDENED.containsAll(forms)) {
      throw new IllegalArgumentException("an array for MXAccess holds one type, not several");
    }
    boolean isDouble = forms.contains(Form.DOUBLE);
    values.replaceAll(
        value -> {
          Number number = (Number) value;
          return isDouble ? (Object) number.doubleValue() : (Object) number.longValue();
        });
    return isDouble ? Form.DOUBLE : Form.INT64;
  }

  private static void fill(MxArray.Builder array, Form form, List<Object> values) {
    switch (form) {
      case BOOL ->
          array.setBoolValues(BoolArray.newBuilder().addAllValues(typed(values, Boolean.class)));
      case INT32 ->
          array.setInt32Values(Int32Array.newBuilder().addAllValues(typed(values, Integer.class)));
      case INT64 ->
          array.setInt64Values(Int64Array.newBuilder().addAllValues(typed(values, Long.class)));
      case FLOAT ->
          array.setFloatValues(FloatArray.newBuilder().addAllValues(typed(values, Float.class)));
      case DOUBLE, ELAPSED ->
          array.setDoubleValues(DoubleArray.newBuilder().addAllValues(typed(values, Double.class)));
      case STRING ->
          array.setStringValues(StringArray.newBuilder().addAllValues(typed(values, String.class)));
      case TIMESTAMP ->
          array.setTimestampValues(
              TimestampArray.newBuilder().addAllValues(typed(values, Timestamp.class)));
      case RAW ->
          array.setRawValues(RawArray.newBuilder().addAllValues(typed(values, ByteString.class)));
    }
  }

  private static <T> List<T> typed(List<Object> values, Class<T> type) {
    return values.stream().map(type::cast).toList();
  }

  static List<?> toJava(MxArray array, boolean isElapsedValue) {
    boolean isElapsed =
        isElapsedValue || array.getElementDataType() == MxDataType.MX_DATA_TYPE_ELAPSED_TIME;
    List<?> flat =
        switch (array.getValuesCase()) {
          case BOOL_VALUES -> array.getBoolValues().getValuesList();
          case INT32_VALUES -> array.getInt32Values().getValuesList();
          case INT64_VALUES -> array.getInt64Values().getValuesList();
          case FLOAT_VALUES -> elapsed(array.getFloatValues().getValuesList(), isElapsed);
          case DOUBLE_VALUES -> elapsed(array.getDoubleValues().getValuesList(), isElapsed);
          case STRING_VALUES -> array.getStringValues().getValuesList();
          case TIMESTAMP_VALUES ->
              mapped(array.getTimestampValues().getValuesList(), MxValues::moment);
          case RAW_VALUES -> mapped(array.getRawValues().getValuesList(), ByteString::toByteArray);
          case VALUES_NOT_SET -> List.of();
        };
    return nested(new ArrayList<>(flat), array.getDimensionsList());
  }

  private static <N extends Number> List<?> elapsed(List<N> numbers, boolean isElapsed) {
    return isElapsed ? mapped(numbers, each -> MxValues.duration(each.doubleValue())) : numbers;
  }

  private static <T, R> List<R> mapped(List<T> values, Function<T, R> convert) {
    return values.stream().map(convert).toList();
  }

  /** Folds elements into rows. Dimensions that do not describe the elements are not believed. */
  private static List<?> nested(List<?> values, List<Integer> dimensions) {
    if (dimensions.size() < 2 || dimensions.size() > MAX_DIMENSIONS) {
      return List.copyOf(values);
    }
    long product = 1;
    long rows = 1;
    for (int dimension : dimensions) {
      product *= Integer.toUnsignedLong(dimension);
      if (product == 0) {
        break;
      }
      rows = product;
      if (product > values.size() && (!values.isEmpty() || product > MAX_EMPTY_ROWS)) {
        return List.copyOf(values);
      }
    }
    if (product != values.size() || (product == 0 && rows > MAX_EMPTY_ROWS)) {
      return List.copyOf(values);
    }
    return fold(values, dimensions);
  }

  private static List<?> fold(List<?> values, List<Integer> dimensions) {
    if (dimensions.size() == 1) {
      return List.copyOf(values);
    }
    int count = dimensions.get(0);
    int width = values.size() / Math.max(count, 1);
    List<@Nullable Object> rows = new ArrayList<>(count);
    for (int row = 0; row < count; row++) {
      rows.add(
          fold(
              values.subList(row * width, (row + 1) * width),
              dimensions.subList(1, dimensions.size())));
    }
    return List.copyOf(rows);
  }
}
