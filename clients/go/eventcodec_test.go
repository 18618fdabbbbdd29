package mxgateway

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// usual is a batch as a plant sends it.
func usual(count int) *pb.MxEventBatch {
	at := func(nanos int32) *timestamppb.Timestamp {
		return &timestamppb.Timestamp{Seconds: 1_800_000_000, Nanos: nanos}
	}
	batch := &pb.MxEventBatch{GatewayReceiveTimestamp: at(3), ReplayedEvents: 1, DroppedEvents: 2, TotalDroppedEvents: 3}
	for n := range count {
		batch.Events = append(batch.Events, &pb.MxEvent{
			Family: pb.MxEventFamily_MX_EVENT_FAMILY_ON_DATA_CHANGE, SessionId: "session-1", ServerHandle: 1,
			ItemHandle: int32(n + 1), ClientHandle: uint32(n + 1), Quality: 192, WorkerSequence: uint64(n + 1),
			SourceTimestamp: at(1), WorkerTimestamp: at(2), Statuses: []*pb.MxStatusProxy{{Success: -1, Category: 2}},
			Value: &pb.MxValue{DataType: 5, VariantType: "VT_R8", Kind: &pb.MxValue_DoubleValue{DoubleValue: 1.5}},
			Body:  &pb.MxEvent_OnDataChange{OnDataChange: &pb.OnDataChangeEvent{}},
		})
	}
	return batch
}

// checkDecoded: what comes of the bytes is what the generated code makes of them.
func checkDecoded(t *testing.T, data []byte) {
	t.Helper()
	var expected, got pb.MxEventBatch
	wanted, err := proto.Unmarshal(data, &expected), decodeBatch(data, &got)
	if (wanted == nil) != (err == nil) {
		t.Fatalf("%x: %v, and the generated code says %v", data, err, wanted)
	}
	if err == nil && !proto.Equal(&expected, &got) {
		t.Fatalf("%x:\n%v\n%v", data, &got, &expected)
	}
}

func marshal(t *testing.T, message proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// filled sets about one field in `rarity`, messages down to a depth.
func filled(random *rand.Rand, message protoreflect.Message, rarity, depth int) {
	fields := message.Descriptor().Fields()
	for n := range fields.Len() {
		field := fields.Get(n)
		if random.IntN(rarity) > 0 || field.IsMap() {
			continue
		}
		if field.Message() != nil && depth == 0 {
			continue
		}
		for range 1 + random.IntN(2) {
			switch {
			case field.IsList() && field.Message() != nil:
				filled(random, message.Mutable(field).List().AppendMutable().Message(), rarity, depth-1)
			case field.IsList():
				message.Mutable(field).List().Append(scalar(random, field))
			case field.Message() != nil:
				filled(random, message.Mutable(field).Message(), rarity, depth-1)
			default:
				message.Set(field, scalar(random, field))
			}
		}
	}
}

func scalar(random *rand.Rand, field protoreflect.FieldDescriptor) protoreflect.Value {
	number := random.Uint64() >> random.IntN(64)
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(number%2 == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(int32(number)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(number))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(number))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(number))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(number)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(number))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(math.Float64frombits(number))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "VT_R8", "VT_ARRAY|VT_I4", "é", "session-1"}[random.IntN(5)])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 255})
	}
	panic(fmt.Sprint("a field of an unknown kind: ", field.FullName()))
}

func TestBatchesAreDecodedAsTheGeneratedCodeDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	checkDecoded(t, nil)
	checkDecoded(t, marshal(t, usual(3)))
	for range 3000 {
		batch := &pb.MxEventBatch{}
		filled(random, batch.ProtoReflect(), 1+random.IntN(6), 4)
		checkDecoded(t, marshal(t, batch))
	}
}

// Each field alone, so that none is left out by chance, and twice, as what is merged comes.
func TestEachFieldOfAnEventIsDecoded(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	event := (&pb.MxEvent{}).ProtoReflect().Descriptor()
	value := (&pb.MxValue{}).ProtoReflect().Descriptor()
	status := (&pb.MxStatusProxy{}).ProtoReflect().Descriptor()
	for _, descriptor := range []protoreflect.MessageDescriptor{event, value, status} {
		for n := range descriptor.Fields().Len() {
			made := &pb.MxEvent{}
			in := made.ProtoReflect()
			switch descriptor {
			case value:
				in = in.Mutable(event.Fields().ByName("value")).Message()
			case status:
				in = in.Mutable(event.Fields().ByName("statuses")).List().AppendMutable().Message()
			}
			field := descriptor.Fields().Get(n)
			switch {
			case field.IsList():
				filled(random, in.Mutable(field).List().AppendMutable().Message(), 1, 3)
			case field.Message() != nil:
				filled(random, in.Mutable(field).Message(), 1, 3)
			default:
				in.Set(field, scalar(random, field))
			}
			data := marshal(t, made)
			for _, payload := range [][]byte{data, append(append([]byte{}, data...), data...)} {
				checkDecoded(t, protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), payload))
			}
		}
	}
}

func TestBrokenBatchesAreRefusedAsTheGeneratedCodeDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	whole := marshal(t, usual(2))
	for end := range whole {
		checkDecoded(t, whole[:end])
	}
	for range 20_000 {
		data := append([]byte{}, whole...)
		for range 1 + random.IntN(3) {
			data[random.IntN(len(data))] = byte(random.Uint32())
		}
		checkDecoded(t, data)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	data, _ := proto.Marshal(usual(2))
	f.Add(data)
	f.Fuzz(checkDecoded)
}

// What an event costs is what it allocates: itself, its value's arm, and its place in the list.
func TestAnEventIsTwoAllocations(t *testing.T) {
	const count = 100
	data := marshal(t, usual(count))
	allocations := testing.AllocsPerRun(10, func() {
		if err := decodeBatch(data, &pb.MxEventBatch{}); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 2*count+5 {
		t.Errorf("%v allocations for %d events", allocations, count)
	}
}

func BenchmarkDecodeBatch(b *testing.B) {
	data, _ := proto.Marshal(usual(1000))
	for name, decode := range map[string]func([]byte, *pb.MxEventBatch) error{
		"ours":      decodeBatch,
		"generated": func(data []byte, batch *pb.MxEventBatch) error { return proto.Unmarshal(data, batch) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := decode(data, &pb.MxEventBatch{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
