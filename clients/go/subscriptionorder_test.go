package mxgateway

import (
	"testing"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

func TestWhatWaitedForTheReplyComesBeforeWhatFollows(t *testing.T) {
	items := newSubscribedItems([]string{"A.B"})
	items.begin(1, false)
	x := &Subscription{items: items, queue: newChangeQueue(10, DropOldest), changed: make(chan struct{})}
	event := func(sequence uint64) *pb.MxEvent {
		return &pb.MxEvent{
			Family: pb.MxEventFamily_MX_EVENT_FAMILY_ON_DATA_CHANGE, ServerHandle: 1, ItemHandle: 7, WorkerSequence: sequence,
		}
	}
	items.adding = make(chan struct{})
	if err := x.take(event(1), false); err != nil {
		t.Fatal(err)
	}
	// The reply is there, and whoever asked has not told yet.
	items.adding = nil
	items.take("A.B", nil, 0, &pb.SubscribeResult{WasSuccessful: true, ItemHandle: 7})
	if err := x.take(event(2), false); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []uint64{1, 2} {
		if change, there := x.queue.take(); !there || change.WorkerSequence != wanted {
			t.Errorf("%d instead of %d", change.WorkerSequence, wanted)
		}
	}
}
