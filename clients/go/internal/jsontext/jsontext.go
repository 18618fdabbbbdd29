// Package jsontext is the JSON that the command line prints: deterministic, in the order of the contract's fields.
package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Plain fields are always there, unset messages and optional ones never.
var options = protojson.MarshalOptions{EmitDefaultValues: true}

// Message is the protobuf JSON of a message on one line. A time beyond the calendar, for which protobuf has no JSON,
// stands as seconds and nanoseconds in words.
func Message(message proto.Message) ([]byte, error) {
	text, err := options.Marshal(message)
	if err == nil {
		return compact(text)
	}
	known := proto.Clone(message)
	far := map[string]string{}
	takeFarTimes(known.ProtoReflect(), far)
	if text, err = options.Marshal(known); err != nil {
		return nil, err
	}
	for mark, words := range far {
		text = bytes.ReplaceAll(text, []byte(`"`+mark+`"`), []byte(`"`+words+`"`))
	}
	return compact(text)
}

// takeFarTimes puts a time that has a JSON form in the place of each that has none, and notes what it stands for.
func takeFarTimes(message protoreflect.Message, far map[string]string) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil || field.IsMap() {
			return true
		}
		visit := func(each protoreflect.Message) {
			stamp, ok := each.Interface().(*timestamppb.Timestamp)
			if !ok {
				takeFarTimes(each, far)
				return
			}
			if stamp.CheckValid() != nil {
				words := fmt.Sprintf("%d s %d ns since 1970", stamp.GetSeconds(), stamp.GetNanos())
				mark := fmt.Sprintf("0001-01-01T00:00:00.%09dZ", len(far)+1)
				far[mark] = words
				stamp.Seconds, stamp.Nanos = -62_135_596_800, int32(len(far))
			}
		}
		if field.IsList() {
			for index := range value.List().Len() {
				visit(value.List().Get(index).Message())
			}
			return true
		}
		visit(value.Message())
		return true
	})
}

func compact(text []byte) ([]byte, error) {
	var made bytes.Buffer
	err := json.Compact(&made, text)
	return made.Bytes(), err
}

// Field is one key of a document; its value is a message, a list of messages, or plain.
type Field struct {
	Key   string
	Value any
}

// Document is an object with its keys in order, on one line.
func Document(fields ...Field) ([]byte, error) {
	var made bytes.Buffer
	made.WriteByte('{')
	for index, field := range fields {
		if index > 0 {
			made.WriteByte(',')
		}
		value, err := encode(field.Value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&made, "%q:", field.Key)
		made.Write(value)
	}
	made.WriteByte('}')
	return made.Bytes(), nil
}

func encode(value any) ([]byte, error) {
	switch given := value.(type) {
	case proto.Message:
		return Message(given)
	case []proto.Message:
		parts := make([][]byte, len(given))
		for index, each := range given {
			part, err := Message(each)
			if err != nil {
				return nil, err
			}
			parts[index] = part
		}
		return append(append([]byte{'['}, bytes.Join(parts, []byte{','})...), ']'), nil
	case json.RawMessage:
		return given, nil
	}
	var made strings.Builder
	encoder := json.NewEncoder(&made)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(made.String(), "\n")), nil
}

// Indented is a document as --json prints it.
func Indented(document []byte) (string, error) {
	var made bytes.Buffer
	err := json.Indent(&made, document, "", "  ")
	return made.String(), err
}

// Messages is a list of messages of one type for Field.
func Messages[M proto.Message](messages []M) []proto.Message {
	made := make([]proto.Message, len(messages))
	for index, each := range messages {
		made[index] = each
	}
	return made
}
