package mxgateway

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// StreamOption changes how a session's events are streamed.
type StreamOption func(*streamOptions)

type streamOptions struct {
	request *pb.StreamEventsRequest
	timeout time.Duration
}

// After goes on after the worker_sequence of the last event that you have; the stream begins with an event whose
// ReplayGap is set when that is too long ago. 0 is a fresh stream.
func After(sequence uint64) StreamOption {
	return func(o *streamOptions) { o.request.AfterWorkerSequence = sequence }
}

// FromBeginning begins with the session's first event, also when another stream had it: for going on after a stream
// that broke before its first event arrived.
func FromBeginning() StreamOption { return func(o *streamOptions) { o.request.FromBeginning = true } }

// RecoverGaps asks the gateway to send the present value of each advised item after a ReplayGap, with the origin
// RECOVERED. Only a gateway that announces CapabilityRecoveredValues does.
func RecoverGaps() StreamOption { return func(o *streamOptions) { o.request.RecoverGaps = true } }

// StreamBackpressure says what the gateway does when this stream is not read fast enough.
func StreamBackpressure(policy pb.BackpressurePolicy) StreamOption {
	return func(o *streamOptions) { o.request.BackpressurePolicy = policy }
}

// MaxBatch bounds what the gateway puts into one message; 0 for its own bounds.
func MaxBatch(events, bytes uint32) StreamOption {
	return func(o *streamOptions) { o.request.MaxBatchEvents, o.request.MaxBatchBytes = events, bytes }
}

// StreamTimeout is the deadline of this stream.
func StreamTimeout(limit time.Duration) StreamOption {
	return func(o *streamOptions) { o.timeout = limit }
}

// Batch is what waited for a stream, in order.
type Batch struct {
	Events []*pb.MxEvent
	// Replayed is how many at the head come from the gateway's replay ring; known only where it sends batches.
	Replayed int
	// Received is when the gateway received the youngest of them; nil where it sends no batches, and then the events
	// say it themselves.
	Received *timestamppb.Timestamp
}

// EventStream is the stream of a session's events, in the order of their worker_sequence.
//
// An event whose ReplayGap is set is no event of MXAccess but marks lost ones: at the head of a resumed stream whose
// position is too old, or where a backpressure policy dropped events.
type EventStream struct {
	single  *Stream[*pb.MxEvent]
	batched *Stream[*pb.MxEventBatch]

	mu       sync.Mutex
	waiting  []*pb.MxEvent
	received *timestamppb.Timestamp
	replayed int
	last     uint64
	dropped  uint64
}

// Events starts a stream of the session's events, without end. It uses batches on the wire where the gateway announced
// them. The end of ctx, or Close, ends it.
func (s *Session) Events(ctx context.Context, options ...StreamOption) (*EventStream, error) {
	o := &streamOptions{request: &pb.StreamEventsRequest{}}
	for _, option := range options {
		option(o)
	}
	if o.request.AfterWorkerSequence != 0 && o.request.FromBeginning {
		return nil, argumentError("from_beginning", "give either After or FromBeginning (after_worker_sequence, from_beginning)")
	}
	o.request.SessionId = s.id
	events := &EventStream{}
	var err error
	if s.has(CapabilityEventBatches) {
		what := call{
			rpcCall: rpcCall{what: "StreamEventBatches"}, method: serviceName + "StreamEventBatches", timeout: o.timeout,
			options: []grpc.CallOption{grpc.ForceCodecV2(batchCodec)},
		}
		events.batched, err = openStream(ctx, s.c, what, o.request, func() *pb.MxEventBatch { return &pb.MxEventBatch{} })
	} else {
		what := call{rpcCall: rpcCall{what: "StreamEvents"}, method: serviceName + "StreamEvents", timeout: o.timeout}
		events.single, err = openStream(ctx, s.c, what, o.request, func() *pb.MxEvent { return &pb.MxEvent{} })
	}
	if err != nil {
		return nil, err
	}
	return events, nil
}

// Next waits for the next event; io.EOF after an ordinary end or after Close.
func (e *EventStream) Next(ctx context.Context) (*pb.MxEvent, error) {
	for {
		e.mu.Lock()
		if len(e.waiting) > 0 {
			event := e.waiting[0]
			e.waiting = e.waiting[1:]
			if e.received != nil {
				event.GatewayReceiveTimestamp = e.received
			}
			e.last = max(event.GetWorkerSequence(), zeroKeeps(e.last, event))
			e.mu.Unlock()
			return event, nil
		}
		e.mu.Unlock()
		if err := e.fetch(ctx); err != nil {
			return nil, err
		}
	}
}

// zeroKeeps is the last sequence for an event that has none, such as a gap.
func zeroKeeps(last uint64, event *pb.MxEvent) uint64 {
	if event.GetWorkerSequence() == 0 {
		return last
	}
	return 0
}

// NextBatch waits for everything that waits, at once: the cheapest way to take very many events. io.EOF as in Next.
func (e *EventStream) NextBatch(ctx context.Context) (Batch, error) {
	for {
		e.mu.Lock()
		if len(e.waiting) > 0 {
			batch := Batch{Events: e.waiting, Replayed: e.replayed, Received: e.received}
			e.waiting = nil
			for index := len(batch.Events) - 1; index >= 0; index-- {
				if sequence := batch.Events[index].GetWorkerSequence(); sequence != 0 {
					e.last = sequence
					break
				}
			}
			e.mu.Unlock()
			return batch, nil
		}
		e.mu.Unlock()
		if err := e.fetch(ctx); err != nil {
			return Batch{}, err
		}
	}
}

func (e *EventStream) fetch(ctx context.Context) error {
	if e.single != nil {
		event, err := e.single.Next(ctx)
		if err != nil {
			return err
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.waiting = append(e.waiting, event)
		e.dropped += event.GetReplayGap().GetDroppedEvents()
		return nil
	}
	batch, err := e.batched.Next(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.replayed, e.received = int(batch.GetReplayedEvents()), batch.GetGatewayReceiveTimestamp()
	if dropped := batch.GetDroppedEvents(); dropped > 0 {
		e.dropped += dropped
		if e.replayed > 0 {
			e.replayed++
		}
		// The stream of single events has a marker at this place; a gap is as visible here.
		e.waiting = append(e.waiting, &pb.MxEvent{ReplayGap: &pb.ReplayGap{DroppedEvents: dropped}})
	}
	if len(e.waiting) == 0 {
		// Nobody else has the list: it need not be copied.
		e.waiting = batch.GetEvents()
	} else {
		e.waiting = append(e.waiting, batch.GetEvents()...)
	}
	return nil
}

// All gives the events until the stream ends; after an error it ends. Leaving the loop closes the stream.
func (e *EventStream) All(ctx context.Context) iter.Seq2[*pb.MxEvent, error] {
	return func(yield func(*pb.MxEvent, error) bool) {
		defer e.Close()
		for {
			event, err := e.Next(ctx)
			if errors.Is(err, io.EOF) || !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// LastSequence is the worker_sequence of the youngest event taken from this stream; 0 before the first.
func (e *EventStream) LastSequence() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// DroppedEvents counts events of this stream that a backpressure policy dropped or replaced, as far as the gateway has
// said.
func (e *EventStream) DroppedEvents() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dropped
}

// Opened waits until the gateway has accepted the stream, or has refused it, which Next tells.
func (e *EventStream) Opened() bool {
	if e.single != nil {
		return e.single.Opened()
	}
	return e.batched.Opened()
}

// Close ends the stream at once. Idempotent.
func (e *EventStream) Close() error {
	if e.single != nil {
		return e.single.Close()
	}
	return e.batched.Close()
}
