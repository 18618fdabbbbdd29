package mxgateway

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// streamStandsLocked notes that the gateway has accepted the stream.
func (x *Subscription) streamStandsLocked() {
	x.isStreamOpen = true
	x.takeTurnLocked()
}

// takeTurnLocked is the state that follows from stream and items.
func (x *Subscription) takeTurnLocked() {
	switch {
	case !x.items.complete():
	case !x.stands:
		x.stands = true
		x.queue.filling = false
		x.setStateLocked(Connected)
	case x.isStreamOpen && x.state == Reconnecting:
		x.setStateLocked(Recovered)
	}
}

func (x *Subscription) itemsAddedLocked() {
	if !x.isSetUp {
		x.isSetUp = true
		if x.stands {
			x.newSessions++
			x.gaps++
		}
	}
	x.takeTurnLocked()
	x.takeEarlyLocked()
	x.notifyLocked()
}

// takeEarlyLocked takes the events that came before the reply that names their items.
func (x *Subscription) takeEarlyLocked() {
	early := x.early
	x.early = nil
	// They are older than a gap that was met meanwhile.
	lostLater := x.queue.takeLost()
	for _, each := range early {
		x.queue.lostNext += each.lost
		// A queue that overflows ends the subscription with its next event.
		_ = x.takeLocked(each.event, each.replayed)
	}
	x.queue.lostNext += lostLater
}

func (x *Subscription) read(ctx context.Context, stream *EventStream, isFirst bool) error {
	for {
		batch, err := stream.NextBatch(x.ctx)
		if err != nil {
			return err
		}
		x.mu.Lock()
		if x.items.complete() {
			x.attempts = 0
		}
		x.streamStandsLocked()
		x.mu.Unlock()
		for index, event := range batch.Events {
			if event.GetReplayGap() != nil {
				if err := x.gap(ctx, event.GetReplayGap(), isFirst); err != nil {
					return err
				}
				continue
			}
			replayed := index < batch.Replayed || event.GetOrigin() == pb.MxEventOrigin_MX_EVENT_ORIGIN_REPLAYED
			if err := x.take(event, replayed); err != nil {
				return err
			}
		}
		isFirst = false
		x.mu.Lock()
		x.notifyLocked()
		x.mu.Unlock()
	}
}

func (x *Subscription) take(event *pb.MxEvent, replayed bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.items.adding == nil && len(x.early) > 0 {
		// The reply has just come, and what waited for it is older than this.
		x.takeEarlyLocked()
	}
	if isRecovered(event) {
		return x.takeLocked(event, false)
	}
	if sequence := event.GetWorkerSequence(); sequence != 0 {
		if sequence <= x.position {
			return nil
		}
		x.position = sequence
	}
	if event.GetFamily() != pb.MxEventFamily_MX_EVENT_FAMILY_ON_DATA_CHANGE {
		return nil
	}
	return x.takeLocked(event, replayed)
}

// isRecovered: the gateway sends it once more, and it moves no position.
func isRecovered(event *pb.MxEvent) bool {
	return event.GetOrigin() == pb.MxEventOrigin_MX_EVENT_ORIGIN_RECOVERED
}

func (x *Subscription) takeLocked(event *pb.MxEvent, replayed bool) error {
	tag, known := x.items.tagOf(event)
	if !known {
		if x.items.mayComeToKnow(event) {
			x.early = append(x.early, earlyEvent{event, replayed, x.queue.takeLost()})
		}
		return nil
	}
	if isRecovered(event) {
		return x.renewLocked(tag, event, event)
	}
	x.items.judge(tag, event.GetStatuses())
	recovered := x.renewed[tag]
	delete(x.renewed, tag)
	if at, read := x.readAt[tag]; read {
		if event.GetSourceTimestamp().AsTime().Before(at) {
			replayed = true
		} else {
			delete(x.readAt, tag)
		}
	}
	return x.putLocked(DataChange{
		Tag: tag, Value: FromMxValue(event.GetValue()), Quality: event.GetQuality(), SourceTime: event.GetSourceTimestamp(),
		Statuses: event.GetStatuses(), WorkerSequence: event.GetWorkerSequence(), Replayed: replayed, Recovered: recovered, Raw: event,
	})
}

func (x *Subscription) putLocked(change DataChange) error {
	warning, err := x.queue.put(change)
	if warning != "" {
		x.c.logger.Warn(warning)
	}
	return err
}

// gap counts changes that were lost, and reads the current values where they may be newer than what comes.
func (x *Subscription) gap(ctx context.Context, gap *pb.ReplayGap, isFirst bool) error {
	var results map[string]*pb.BulkReadResult
	var order []string
	// Under conflate what was dropped was replaced by a younger value of its item, which is in the stream; the first gap
	// of a stream is another matter.
	isReplaced := x.policy() == pb.BackpressurePolicy_BACKPRESSURE_POLICY_CONFLATE && gap.GetDroppedEvents() > 0
	// A gateway that recovers gaps sends the values by itself, right behind this.
	if (isFirst || !isReplaced) && !x.recovers() {
		var err error
		if order, results, err = x.items.readAll(ctx, x); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.items.adding == nil {
		x.takeEarlyLocked()
	}
	// Only now: when the reading breaks off, the stream is resumed before the gap and tells of it again.
	x.gaps++
	lost := gap.GetDroppedEvents()
	if lost == 0 && gap.GetOldestAvailableSequence() > gap.GetRequestedAfterSequence()+1 {
		lost = gap.GetOldestAvailableSequence() - gap.GetRequestedAfterSequence() - 1
	}
	x.lost += lost
	x.queue.lostNext += lost
	for _, tag := range order {
		result := results[tag]
		if !result.GetWasSuccessful() || !x.items.wanted(tag) {
			continue
		}
		err := x.renewLocked(tag, result, result)
		if err != nil {
			return err
		}
	}
	return nil
}

type reading interface {
	GetValue() *pb.MxValue
	GetQuality() int32
	GetSourceTimestamp() *timestamppb.Timestamp
	GetStatuses() []*pb.MxStatusProxy
}

// renewLocked passes on what stands for changes that were lost: a value as it is now, read or sent once more.
func (x *Subscription) renewLocked(tag string, value reading, raw proto.Message) error {
	x.readAt[tag] = value.GetSourceTimestamp().AsTime()
	return x.putLocked(DataChange{
		Tag: tag, Value: FromMxValue(value.GetValue()), Quality: value.GetQuality(), SourceTime: value.GetSourceTimestamp(),
		Statuses: value.GetStatuses(), Recovered: true, Raw: raw,
	})
}
