// Package clitext is what the command line makes of texts: values, times, lists, lines of a batch, and figures.
package clitext

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/timestamppb"

	mxgateway "mxaccess-gateway.example/clients/go"
	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// Types are the names that --type takes, each also with [] for an array.
var Types = []string{"bool", "int32", "int64", "float", "double", "string", "timestamp", "elapsed"}

// IsType tells whether a name is one of Types, with or without [].
func IsType(name string) bool { return slices.Contains(Types, strings.TrimSuffix(name, "[]")) }

var rfc3339 = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))? ?([Zz]|[+-]\d{2}:\d{2})$`)

// Time is the moment of an RFC 3339 text with up to nine digits of a second, Z or an offset.
func Time(text string) (*timestamppb.Timestamp, error) {
	match := rfc3339.FindStringSubmatch(strings.TrimSpace(text))
	if match == nil {
		return nil, fmt.Errorf("%q is no RFC 3339 time such as 2026-01-31T12:00:00Z or …12:00:00.123456789+01:00", text)
	}
	zone := match[4]
	if zone == "z" {
		zone = "Z"
	}
	moment, err := time.Parse(time.RFC3339, match[1]+"T"+match[2]+zone)
	if err != nil {
		return nil, fmt.Errorf("%q is no time: %w", text, err)
	}
	nanos, _ := strconv.ParseInt((match[3] + "000000000")[:9], 10, 32)
	stamp := timestamppb.New(moment)
	stamp.Nanos = int32(nanos)
	if stamp.CheckValid() != nil {
		return nil, fmt.Errorf("%q is beyond the years 1 to 9999", text)
	}
	return stamp, nil
}

// Moment is a time as a value, to the nanosecond.
func Moment(stamp *timestamppb.Timestamp) *pb.MxValue {
	return &pb.MxValue{DataType: pb.MxDataType_MX_DATA_TYPE_TIME, VariantType: "VT_DATE", Kind: &pb.MxValue_TimestampValue{TimestampValue: stamp}}
}

// Value is the MxValue of a text of a type; the error names the flag and keeps the cause.
func Value(text, typeName, flag string) (*pb.MxValue, error) {
	value, err := parse(text, typeName)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no %s: %w", flag, text, typeName, err)
	}
	return value, nil
}

func parse(text, typeName string) (*pb.MxValue, error) {
	scalar, isArray := strings.CutSuffix(typeName, "[]")
	if !slices.Contains(Types, scalar) {
		return nil, fmt.Errorf("the type is none of %s", strings.Join(Types, ", "))
	}
	if !isArray {
		if scalar == "string" {
			return mxgateway.ToMxValue(text)
		}
		value, err := one(strings.TrimSpace(text), scalar)
		if err != nil {
			return nil, err
		}
		if stamp, ok := value.(*timestamppb.Timestamp); ok {
			return Moment(stamp), nil
		}
		return mxgateway.ToMxValue(value)
	}
	elements, err := rows(text)
	if err != nil {
		return nil, err
	}
	return array(elements, scalar)
}

func array(elements []string, scalar string) (*pb.MxValue, error) {
	switch scalar {
	case "bool":
		return collected[bool](elements, scalar)
	case "int32":
		return collected[int32](elements, scalar)
	case "int64":
		return collected[int64](elements, scalar)
	case "float":
		return collected[float32](elements, scalar)
	case "double":
		return collected[float64](elements, scalar)
	case "elapsed":
		return collected[mxgateway.Elapsed](elements, scalar)
	case "timestamp":
		made := make([]*timestamppb.Timestamp, 0, len(elements))
		for _, each := range elements {
			stamp, err := Time(each)
			if err != nil {
				return nil, err
			}
			made = append(made, stamp)
		}
		return &pb.MxValue{
			DataType: pb.MxDataType_MX_DATA_TYPE_TIME, VariantType: "VT_ARRAY|VT_DATE",
			Kind: &pb.MxValue_ArrayValue{ArrayValue: &pb.MxArray{
				ElementDataType: pb.MxDataType_MX_DATA_TYPE_TIME, VariantType: "VT_ARRAY|VT_DATE", Dimensions: []uint32{uint32(len(made))},
				Values: &pb.MxArray_TimestampValues{TimestampValues: &pb.TimestampArray{Values: made}},
			}},
		}, nil
	}
	return mxgateway.ToMxValue(elements)
}

func collected[T any](elements []string, scalar string) (*pb.MxValue, error) {
	made := make([]T, 0, len(elements))
	for _, each := range elements {
		if strings.TrimSpace(each) == "" {
			return nil, errors.New("an element is empty")
		}
		value, err := one(strings.TrimSpace(each), scalar)
		if err != nil {
			return nil, err
		}
		made = append(made, value.(T))
	}
	return mxgateway.ToMxValue(made)
}

// rows are the elements of a list in brackets or with commas between, with CSV quoting.
func rows(text string) ([]string, error) {
	trimmed := strings.TrimSpace(text)
	if strings.HasPrefix(trimmed, "[") && strings.HasSuffix(trimmed, "]") {
		trimmed = trimmed[1 : len(trimmed)-1]
		if strings.TrimSpace(trimmed) == "" {
			return []string{}, nil
		}
	}
	return List(trimmed)
}

// List is the elements of a comma-separated text, with CSV quoting; nothing for an empty text.
func List(text string) ([]string, error) {
	if text == "" {
		return []string{}, nil
	}
	reader := csv.NewReader(strings.NewReader(text))
	reader.TrimLeadingSpace = true
	fields, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("the list cannot be read: %w", err)
	}
	for index := range fields {
		fields[index] = strings.TrimSpace(fields[index])
	}
	return fields, nil
}

// References are comma-separated references, none of them empty.
func References(text, flag string) ([]string, error) {
	found, err := List(text)
	if err == nil && slices.Contains(found, "") {
		err = errors.New("there is an empty reference between its commas")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", flag, text, err)
	}
	return found, nil
}

// Handles are comma-separated handles.
func Handles(text, flag string) ([]int32, error) {
	found, err := List(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", flag, text, err)
	}
	handles := make([]int32, len(found))
	for index, each := range found {
		number, err := strconv.ParseInt(each, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no list of handles such as 1,2,3: %w", flag, text, err)
		}
		handles[index] = int32(number)
	}
	return handles, nil
}

func one(text, scalar string) (any, error) {
	switch scalar {
	case "bool":
		switch strings.ToLower(text) {
		case "true", "1", "on", "yes":
			return true, nil
		case "false", "0", "off", "no":
			return false, nil
		}
		return nil, errors.New("say true or false")
	case "int32":
		number, err := strconv.ParseInt(text, 0, 32)
		return int32(number), err
	case "int64":
		return strconv.ParseInt(text, 0, 64)
	case "float":
		number, err := number(text, 32)
		return float32(number), err
	case "double":
		return number(text, 64)
	case "timestamp":
		return Time(text)
	case "elapsed":
		found, err := elapsed(text)
		return mxgateway.Elapsed(found), err
	}
	return text, nil
}

var commaNumber = regexp.MustCompile(`^[+-]?\d+,\d+$`)

func number(text string, bits int) (float64, error) {
	if commaNumber.MatchString(text) {
		return 0, fmt.Errorf("a comma separates the elements of an array; say %s with a point", strings.Replace(text, ",", ".", 1))
	}
	found, err := strconv.ParseFloat(text, bits)
	if err != nil {
		return 0, err
	}
	if math.IsNaN(found) || math.IsInf(found, 0) {
		return 0, errors.New("MXAccess has no form for NaN and infinities")
	}
	return found, nil
}

var (
	clock = regexp.MustCompile(`^([+-]?)(?:(\d+) ?(?:d|days?),? )?(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)$`)
	iso   = regexp.MustCompile(`^([+-]?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)
)

// elapsed is the seconds of a duration: a number, with or without s, a clock's form with days before it, or ISO 8601.
func elapsed(text string) (float64, error) {
	match := clock.FindStringSubmatch(text)
	if match == nil {
		match = iso.FindStringSubmatch(strings.ToUpper(text))
	}
	if match == nil {
		return number(strings.TrimSpace(strings.TrimSuffix(text, "s")), 64)
	}
	if match[2]+match[3]+match[4]+match[5] == "" {
		return 0, errors.New("say seconds such as 90, or a duration such as 0:01:30")
	}
	var total float64
	for index, unit := range []float64{86_400, 3_600, 60, 1} {
		if match[index+2] != "" {
			part, err := strconv.ParseFloat(match[index+2], 64)
			if err != nil {
				return 0, err
			}
			total += part * unit
		}
	}
	if match[1] == "-" {
		total = -total
	}
	return total, nil
}

// SplitLine is the arguments of a line, quoted as in a POSIX shell; # has no meaning.
func SplitLine(line string) ([]string, error) {
	var arguments []string
	var current strings.Builder
	inWord := false
	letters := []rune(line)
	for index := 0; index < len(letters); index++ {
		letter := letters[index]
		switch {
		case letter == '\'':
			end := slices.Index(letters[index+1:], '\'')
			if end < 0 {
				return nil, errors.New("a ' has no end")
			}
			current.WriteString(string(letters[index+1 : index+1+end]))
			index += end + 1
			inWord = true
		case letter == '"':
			inWord = true
			closed := false
			for index++; index < len(letters); index++ {
				if letters[index] == '"' {
					closed = true
					break
				}
				if letters[index] == '\\' && index+1 < len(letters) && (letters[index+1] == '"' || letters[index+1] == '\\') {
					index++
				}
				current.WriteRune(letters[index])
			}
			if !closed {
				return nil, errors.New(`a " has no end`)
			}
		case letter == '\\':
			if index+1 >= len(letters) {
				return nil, errors.New(`a \ has nothing behind it`)
			}
			index++
			current.WriteRune(letters[index])
			inWord = true
		case letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n':
			if inWord {
				arguments = append(arguments, current.String())
				current.Reset()
				inWord = false
			}
		default:
			current.WriteRune(letter)
			inWord = true
		}
	}
	if inWord {
		arguments = append(arguments, current.String())
	}
	if arguments == nil {
		arguments = []string{}
	}
	return arguments, nil
}

// Summary are percentiles in milliseconds, rounded to microseconds; 0 without samples.
type Summary struct {
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
}

// Percentiles is the summary of some samples, by linear interpolation.
func Percentiles(samples []float64) Summary {
	if len(samples) == 0 {
		return Summary{}
	}
	ordered := slices.Sorted(slices.Values(samples))
	var sum float64
	for _, sample := range ordered {
		sum += sample
	}
	at := func(share float64) float64 {
		position := float64(len(ordered)-1) * share
		low := int(math.Floor(position))
		high := min(low+1, len(ordered)-1)
		return rounded(ordered[low] + (ordered[high]-ordered[low])*(position-float64(low)))
	}
	return Summary{at(0.5), at(0.95), at(0.99), rounded(ordered[len(ordered)-1]), rounded(sum / float64(len(ordered)))}
}

func rounded(number float64) float64 { return math.RoundToEven(number*1000) / 1000 }

// Printable is a line for a terminal: what names and messages hold can neither break it nor command the terminal.
func Printable(text string) string {
	var line strings.Builder
	for _, letter := range text {
		if letter == '\t' || unicode.IsPrint(letter) {
			line.WriteRune(letter)
		} else {
			fmt.Fprintf(&line, `\u%04x`, letter)
		}
	}
	return line.String()
}
