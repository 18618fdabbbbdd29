package mxgateway

import (
	"math"
	"reflect"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// Opaque is a received value without a form of its own: what came is in Value.
type Opaque struct{ Value *pb.MxValue }

// OutOfRange is a received time or duration that Go's types cannot hold: what came is in Time or Seconds.
type OutOfRange struct {
	Time    *timestamppb.Timestamp
	Seconds float64
}

// Elapsed is a duration as MXAccess has it, in seconds; for such as time.Duration cannot hold.
type Elapsed float64

// form is how one scalar type travels.
type form struct {
	variant  string
	dataType pb.MxDataType
}

var forms = map[string]form{
	"bool":      {"VT_BOOL", pb.MxDataType_MX_DATA_TYPE_BOOLEAN},
	"int32":     {"VT_I4", pb.MxDataType_MX_DATA_TYPE_INTEGER},
	"int64":     {"VT_I8", pb.MxDataType_MX_DATA_TYPE_INTEGER},
	"float":     {"VT_R4", pb.MxDataType_MX_DATA_TYPE_FLOAT},
	"double":    {"VT_R8", pb.MxDataType_MX_DATA_TYPE_DOUBLE},
	"string":    {"VT_BSTR", pb.MxDataType_MX_DATA_TYPE_STRING},
	"timestamp": {"VT_DATE", pb.MxDataType_MX_DATA_TYPE_TIME},
	"elapsed":   {"VT_R8", pb.MxDataType_MX_DATA_TYPE_ELAPSED_TIME},
	"raw":       {"VT_RECORD", pb.MxDataType_MX_DATA_TYPE_UNKNOWN},
}

// ToMxValue is the MxValue of a Go value.
//
//	nil                           VT_EMPTY, null
//	bool                          VT_BOOL
//	int8…int32, uint8, uint16     VT_I4
//	int, uint, uint32             VT_I4 where it fits, else VT_I8
//	int64, uint64                 VT_I8
//	float32, float64              VT_R4, VT_R8
//	string                        VT_BSTR
//	time.Time                     VT_DATE
//	time.Duration, Elapsed        VT_R8 in seconds, ELAPSED_TIME
//	[]byte                        VT_RECORD, as it is
//	slices of them, also nested   VT_ARRAY of the elements' type
//	*MxValue                      as it is; *MxSparseArray, for writes only
//
// It refuses NaN and infinities, for which MXAccess has no form, integers beyond 64 bits, times beyond the years 1 to
// 9999, rows of different length, and an empty slice whose element type is unknown. The error is an *ArgumentError.
func ToMxValue(value any) (*pb.MxValue, error) {
	switch given := value.(type) {
	case nil:
		return &pb.MxValue{DataType: pb.MxDataType_MX_DATA_TYPE_NO_DATA, VariantType: "VT_EMPTY", IsNull: true}, nil
	case *pb.MxValue:
		return given, nil
	case *pb.MxSparseArray:
		return &pb.MxValue{DataType: given.GetElementDataType(), Kind: &pb.MxValue_SparseArrayValue{SparseArrayValue: given}}, nil
	}
	if kind, scalar, err := scalarOf(value); err != nil || kind != "" {
		if err != nil {
			return nil, err
		}
		return scalarValue(kind, scalar), nil
	}
	if reflected := reflect.ValueOf(value); reflected.Kind() == reflect.Slice || reflected.Kind() == reflect.Array {
		return arrayOf(reflected)
	}
	return nil, argumentError("value", "%T has no form in MXAccess; use bool, integers, floats, string, time.Time, time.Duration, []byte or slices of them", value)
}

// scalarOf is the plain value and its kind; no kind for what is no scalar.
func scalarOf(value any) (string, any, error) {
	switch given := value.(type) {
	case time.Time:
		moment := timestamppb.New(given)
		if moment.CheckValid() != nil {
			return "", nil, argumentError("value", "%v is beyond the years 1 to 9999", given)
		}
		return "timestamp", moment, nil
	case time.Duration:
		return "elapsed", given.Seconds(), nil
	case Elapsed:
		return finite("elapsed", float64(given))
	case []byte:
		return "raw", given, nil
	}
	reflected := reflect.ValueOf(value)
	switch reflected.Kind() {
	case reflect.Bool:
		return "bool", reflected.Bool(), nil
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return "int32", int32(reflected.Int()), nil
	case reflect.Int64:
		return "int64", reflected.Int(), nil
	case reflect.Int:
		return narrow(reflected.Int())
	case reflect.Uint8, reflect.Uint16:
		return "int32", int32(reflected.Uint()), nil
	case reflect.Uint32, reflect.Uint, reflect.Uint64, reflect.Uintptr:
		if reflected.Uint() > math.MaxInt64 {
			return "", nil, argumentError("value", "%d is beyond 64 bits", reflected.Uint())
		}
		if reflected.Kind() == reflect.Uint64 {
			return "int64", int64(reflected.Uint()), nil
		}
		return narrow(int64(reflected.Uint()))
	case reflect.Float32:
		return finite("float", reflected.Float())
	case reflect.Float64:
		return finite("double", reflected.Float())
	case reflect.String:
		return "string", reflected.String(), nil
	}
	return "", nil, nil
}

func narrow(number int64) (string, any, error) {
	if number >= math.MinInt32 && number <= math.MaxInt32 {
		return "int32", int32(number), nil
	}
	return "int64", number, nil
}

func finite(kind string, number float64) (string, any, error) {
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return "", nil, argumentError("value", "%v cannot be written: MXAccess has no form for NaN and infinities", number)
	}
	return kind, number, nil
}

func scalarValue(kind string, value any) *pb.MxValue {
	made := &pb.MxValue{DataType: forms[kind].dataType, VariantType: forms[kind].variant}
	switch kind {
	case "bool":
		made.Kind = &pb.MxValue_BoolValue{BoolValue: value.(bool)}
	case "int32":
		made.Kind = &pb.MxValue_Int32Value{Int32Value: value.(int32)}
	case "int64":
		made.Kind = &pb.MxValue_Int64Value{Int64Value: value.(int64)}
	case "float":
		made.Kind = &pb.MxValue_FloatValue{FloatValue: float32(value.(float64))}
	case "double", "elapsed":
		made.Kind = &pb.MxValue_DoubleValue{DoubleValue: value.(float64)}
	case "string":
		made.Kind = &pb.MxValue_StringValue{StringValue: value.(string)}
	case "timestamp":
		made.Kind = &pb.MxValue_TimestampValue{TimestampValue: value.(*timestamppb.Timestamp)}
	case "raw":
		made.Kind = &pb.MxValue_RawValue{RawValue: value.([]byte)}
	}
	return made
}

// flat is an array's elements row by row, with the length of each dimension.
type flat struct {
	kinds      map[string]bool
	values     []any
	dimensions []uint32
}

func arrayOf(given reflect.Value) (*pb.MxValue, error) {
	all := &flat{kinds: map[string]bool{}}
	if err := all.add(given, 0); err != nil {
		return nil, err
	}
	kind := elementKind(given.Type())
	switch {
	case len(all.kinds) == 0 && kind == "":
		return nil, argumentError("value", "an empty slice of %v does not say its type; use a slice of a scalar type, for example []int32{}", given.Type().Elem())
	case len(all.kinds) == 1:
		for only := range all.kinds {
			kind = only
		}
	case len(all.kinds) > 1:
		wider := all.widen()
		if wider == "" {
			return nil, argumentError("value", "a slice for MXAccess holds one type, not several")
		}
		kind = wider
	}
	array := &pb.MxArray{ElementDataType: forms[kind].dataType, VariantType: "VT_ARRAY|" + forms[kind].variant, Dimensions: all.dimensions}
	fillArray(array, kind, all.values)
	return &pb.MxValue{
		DataType: forms[kind].dataType, VariantType: array.GetVariantType(), Kind: &pb.MxValue_ArrayValue{ArrayValue: array},
	}, nil
}

// widen makes one type of integers of both widths, and of integers among doubles; empty where that is not possible.
func (f *flat) widen() string {
	for kind := range f.kinds {
		if kind != "int32" && kind != "int64" && kind != "double" {
			return ""
		}
	}
	for index, value := range f.values {
		var number int64
		switch given := value.(type) {
		case int32:
			number = int64(given)
		case int64:
			number = given
		default:
			continue
		}
		if f.kinds["double"] {
			f.values[index] = float64(number)
		} else {
			f.values[index] = number
		}
	}
	if f.kinds["double"] {
		return "double"
	}
	return "int64"
}

func (f *flat) add(given reflect.Value, depth int) error {
	if depth == len(f.dimensions) {
		if len(f.values) > 0 {
			return argumentError("value", "a nested slice needs rows of one depth")
		}
		f.dimensions = append(f.dimensions, uint32(given.Len()))
	} else if f.dimensions[depth] != uint32(given.Len()) {
		return argumentError("value", "a nested slice needs rows of one length")
	}
	for index := range given.Len() {
		element := given.Index(index)
		if element.Kind() == reflect.Interface {
			if element.IsNil() {
				return argumentError("value", "nil has no place within an array")
			}
			element = element.Elem()
		}
		kind, value, err := scalarOf(element.Interface())
		if err != nil {
			return err
		}
		if kind == "" {
			if element.Kind() != reflect.Slice && element.Kind() != reflect.Array {
				return argumentError("value", "%v has no form in MXAccess", element.Type())
			}
			if err := f.add(element, depth+1); err != nil {
				return err
			}
			continue
		}
		if depth != len(f.dimensions)-1 {
			return argumentError("value", "a nested slice needs rows of one depth")
		}
		f.kinds[kind] = true
		f.values = append(f.values, value)
	}
	return nil
}

// elementKind is the kind of a slice's elements by its type alone; empty for interfaces.
func elementKind(given reflect.Type) string {
	for given.Kind() == reflect.Slice || given.Kind() == reflect.Array {
		if given == reflect.TypeFor[[]byte]() {
			return "raw"
		}
		given = given.Elem()
	}
	if given.Kind() == reflect.Interface {
		return ""
	}
	kind, _, err := scalarOf(reflect.Zero(given).Interface())
	if err != nil {
		return "timestamp"
	}
	return kind
}

func fillArray(array *pb.MxArray, kind string, values []any) {
	switch kind {
	case "bool":
		array.Values = &pb.MxArray_BoolValues{BoolValues: &pb.BoolArray{Values: typed[bool](values)}}
	case "int32":
		array.Values = &pb.MxArray_Int32Values{Int32Values: &pb.Int32Array{Values: typed[int32](values)}}
	case "int64":
		array.Values = &pb.MxArray_Int64Values{Int64Values: &pb.Int64Array{Values: typed[int64](values)}}
	case "float":
		floats := make([]float32, len(values))
		for index, value := range values {
			floats[index] = float32(value.(float64))
		}
		array.Values = &pb.MxArray_FloatValues{FloatValues: &pb.FloatArray{Values: floats}}
	case "double", "elapsed":
		array.Values = &pb.MxArray_DoubleValues{DoubleValues: &pb.DoubleArray{Values: typed[float64](values)}}
	case "string":
		array.Values = &pb.MxArray_StringValues{StringValues: &pb.StringArray{Values: typed[string](values)}}
	case "timestamp":
		array.Values = &pb.MxArray_TimestampValues{TimestampValues: &pb.TimestampArray{Values: typed[*timestamppb.Timestamp](values)}}
	case "raw":
		array.Values = &pb.MxArray_RawValues{RawValues: &pb.RawArray{Values: typed[[]byte](values)}}
	}
}

func typed[T any](values []any) []T {
	made := make([]T, len(values))
	for index, value := range values {
		made[index] = value.(T)
	}
	return made
}

// FromMxValue is the Go value of an MxValue, the inverse of ToMxValue. It never fails: null is nil, an array a slice of
// its type (of []any for several dimensions), a sparse array a map[uint32]any, what has no form an Opaque, a time or
// duration that Go cannot hold an OutOfRange.
func FromMxValue(value *pb.MxValue) any {
	if value.GetIsNull() {
		return nil
	}
	elapsed := value.GetDataType() == pb.MxDataType_MX_DATA_TYPE_ELAPSED_TIME
	switch kind := value.GetKind().(type) {
	case nil:
		if len(value.ProtoReflect().GetUnknown()) > 0 {
			return Opaque{value}
		}
		return nil
	case *pb.MxValue_BoolValue:
		return kind.BoolValue
	case *pb.MxValue_Int32Value:
		return kind.Int32Value
	case *pb.MxValue_Int64Value:
		return kind.Int64Value
	case *pb.MxValue_FloatValue:
		if elapsed {
			return duration(float64(kind.FloatValue))
		}
		return kind.FloatValue
	case *pb.MxValue_DoubleValue:
		if elapsed {
			return duration(kind.DoubleValue)
		}
		return kind.DoubleValue
	case *pb.MxValue_StringValue:
		return kind.StringValue
	case *pb.MxValue_TimestampValue:
		return moment(kind.TimestampValue)
	case *pb.MxValue_RawValue:
		return kind.RawValue
	case *pb.MxValue_ArrayValue:
		return fromArray(kind.ArrayValue, elapsed)
	case *pb.MxValue_SparseArrayValue:
		found := map[uint32]any{}
		for _, element := range kind.SparseArrayValue.GetElements() {
			found[element.GetIndex()] = FromMxValue(element.GetValue())
		}
		return found
	}
	return Opaque{value}
}

func moment(stamp *timestamppb.Timestamp) any {
	if stamp.CheckValid() != nil {
		return OutOfRange{Time: stamp}
	}
	return stamp.AsTime()
}

func duration(number float64) any {
	found, ok := seconds(number)
	if !ok {
		return OutOfRange{Seconds: number}
	}
	return found
}

func fromArray(array *pb.MxArray, elapsed bool) any {
	elapsed = elapsed || array.GetElementDataType() == pb.MxDataType_MX_DATA_TYPE_ELAPSED_TIME
	dimensions := array.GetDimensions()
	switch values := array.GetValues().(type) {
	case *pb.MxArray_BoolValues:
		return nested(values.BoolValues.GetValues(), dimensions)
	case *pb.MxArray_Int32Values:
		return nested(values.Int32Values.GetValues(), dimensions)
	case *pb.MxArray_Int64Values:
		return nested(values.Int64Values.GetValues(), dimensions)
	case *pb.MxArray_FloatValues:
		if elapsed {
			return nested(mapped(values.FloatValues.GetValues(), func(number float32) any { return duration(float64(number)) }), dimensions)
		}
		return nested(values.FloatValues.GetValues(), dimensions)
	case *pb.MxArray_DoubleValues:
		if elapsed {
			return nested(mapped(values.DoubleValues.GetValues(), duration), dimensions)
		}
		return nested(values.DoubleValues.GetValues(), dimensions)
	case *pb.MxArray_StringValues:
		return nested(values.StringValues.GetValues(), dimensions)
	case *pb.MxArray_TimestampValues:
		return nested(mapped(values.TimestampValues.GetValues(), moment), dimensions)
	case *pb.MxArray_RawValues:
		return nested(values.RawValues.GetValues(), dimensions)
	}
	return []any{}
}

func mapped[T any](values []T, convert func(T) any) []any {
	made := make([]any, len(values))
	for index, value := range values {
		made[index] = convert(value)
	}
	return made
}

const (
	maxDimensions = 60
	maxEmptyRows  = 1_000_000
)

// nested folds the elements into rows. Dimensions that do not describe the elements are not believed.
func nested[T any](values []T, dimensions []uint32) any {
	if values == nil {
		values = []T{}
	}
	if len(dimensions) < 2 || len(dimensions) > maxDimensions {
		return values
	}
	product, rows := uint64(1), uint64(1)
	for _, length := range dimensions {
		product *= uint64(length)
		if length == 0 {
			break
		}
		rows = product
		if product > uint64(len(values)) && (len(values) > 0 || product > maxEmptyRows) {
			return values
		}
	}
	if product != uint64(len(values)) || (product == 0 && rows > maxEmptyRows) {
		return values
	}
	return fold(values, dimensions)
}

func fold[T any](values []T, dimensions []uint32) any {
	if len(dimensions) == 1 {
		return values
	}
	rows := make([]any, dimensions[0])
	width := len(values) / max(int(dimensions[0]), 1)
	for index := range rows {
		rows[index] = fold(values[index*width:(index+1)*width], dimensions[1:])
	}
	return rows
}
