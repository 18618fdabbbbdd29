package mxgateway

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// SubscriptionState says where a subscription stands.
type SubscriptionState string

const (
	// Starting: the tags are not all subscribed yet.
	Starting SubscriptionState = "starting"
	// Connected: values come, and the stream was not interrupted so far.
	Connected SubscriptionState = "connected"
	// Reconnecting: the stream is interrupted and tried again. Values may be out of date.
	Reconnecting SubscriptionState = "reconnecting"
	// Recovered: connected again; what was missed is replayed, or was read again and is marked.
	Recovered SubscriptionState = "recovered"
	// Closed: it was closed, or it failed for good, which Err tells.
	Closed SubscriptionState = "closed"
)

// DataChange is one value of one tag.
type DataChange struct {
	// Tag as it was subscribed.
	Tag string
	// Value, see FromMxValue.
	Value any
	// Quality is the OPC quality word; 192 is good.
	Quality int32
	// SourceTime is nil where there is none.
	SourceTime *timestamppb.Timestamp
	Statuses   []*pb.MxStatusProxy
	// WorkerSequence is the position in the session's events; 0 for a value that was read again.
	WorkerSequence uint64
	// Replayed: it happened while the connection was interrupted and comes late, or is older than a value that was
	// delivered already.
	Replayed bool
	// Recovered: it was read again because changes had been lost; what came between is not known.
	Recovered bool
	// LostBefore counts changes known to be lost directly before this one: by the gateway, or by the overflow policy.
	LostBefore uint64
	// Raw is the *MxEvent or *BulkReadResult.
	Raw proto.Message
}

// IsGood tells whether the quality is good and no status reports a failure.
func (c DataChange) IsGood() bool {
	return IsGood(c.Quality) && !slices.ContainsFunc(c.Statuses, IsStatusFailure)
}

// SubscriptionStats are the figures of a subscription.
type SubscriptionStats struct {
	// Tags that are wanted; Failures says why some of them were refused.
	Tags     []string
	Failures map[string]string
	// Gaps is how often changes were lost between plant and queue, Lost how many events are known to be.
	Gaps, Lost uint64
	// Dropped by the overflow policy; Waiting in the queue now.
	Dropped uint64
	Waiting int
	// Interruptions of the stream, and NewSessions that took the place of lost ones.
	Interruptions, NewSessions int
	// LastInterruption is why the stream broke last; nil before the first time.
	LastInterruption error
}

// SubscribeOption changes a subscription.
type SubscribeOption func(*subscribeOptions)

type subscribeOptions struct {
	queue          int
	overflow       Overflow
	supervisory    bool
	noReconnect    bool
	firstDelay     time.Duration
	longestDelay   time.Duration
	sessionOptions []SessionOption
}

// QueueSize is how many changes may wait for the consumer, 10,000 by default; never less than twice the tags.
func QueueSize(size int) SubscribeOption { return func(o *subscribeOptions) { o.queue = size } }

// OnOverflow says what happens when more wait.
func OnOverflow(policy Overflow) SubscribeOption {
	return func(o *subscribeOptions) { o.overflow = policy }
}

// Supervisory uses AdviseSupervisory in place of Advise: no user is needed.
func Supervisory() SubscribeOption { return func(o *subscribeOptions) { o.supervisory = true } }

// WithoutReconnect ends the subscription with its error as soon as the stream breaks.
func WithoutReconnect() SubscribeOption { return func(o *subscribeOptions) { o.noReconnect = true } }

// ReconnectDelays are the second wait between attempts, which doubles from then on, and the longest; 0.2 s and 5 s by
// default. The first attempt is made at once.
func ReconnectDelays(first, longest time.Duration) SubscribeOption {
	return func(o *subscribeOptions) { o.firstDelay, o.longestDelay = first, longest }
}

// InSession passes options of the session that Client.Subscribe opens.
func InSession(options ...SessionOption) SubscribeOption {
	return func(o *subscribeOptions) { o.sessionOptions = append(o.sessionOptions, options...) }
}

const mostLost = 5

// Subscription gives the changes of some tags, over interruptions of the connection: what was missed is replayed, and
// where the gateway does not have it any more, the current values are read again. Nothing is ever hidden: see
// LostBefore, Recovered and Stats. Close it.
type Subscription struct {
	c       *connection
	o       subscribeOptions
	open    func(context.Context) (*Session, error)
	owns    bool
	session *Session
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever something changed
	queue    *changeQueue
	items    *subscribedItems
	state    SubscriptionState
	err      error
	position uint64
	gaps     uint64
	lost     uint64
	readAt   map[string]time.Time
	renewed  map[string]bool
	early    []earlyEvent

	interruptions, newSessions int
	lastInterruption           error
	stands, isSetUp            bool
	isStreamOpen               bool
	attempts                   int
	pump                       chan DataChange
}

type earlyEvent struct {
	event    *pb.MxEvent
	replayed bool
	// lost counts what was lost directly before it.
	lost uint64
}

// Subscribe watches tags in this session, at most as long as it lives. It returns when the tags are subscribed; those
// that were refused stand in Stats().Failures.
func (s *Session) Subscribe(ctx context.Context, tags []string, options ...SubscribeOption) (*Subscription, error) {
	x, err := newSubscription(s.c, tags, options)
	if err != nil {
		return nil, err
	}
	x.open = func(context.Context) (*Session, error) { return s, nil }
	s.mu.Lock()
	s.subscriptions[x] = struct{}{}
	s.mu.Unlock()
	return x.start(ctx)
}

// Subscribe watches tags in a session of their own, which is opened anew when it is lost: so the subscription survives
// a restart of the gateway too. Values after that are marked Recovered.
func (c *Client) Subscribe(ctx context.Context, tags []string, options ...SubscribeOption) (*Subscription, error) {
	x, err := newSubscription(c.c, tags, options)
	if err != nil {
		return nil, err
	}
	x.owns = true
	x.open = func(ctx context.Context) (*Session, error) { return c.OpenSession(ctx, x.o.sessionOptions...) }
	return x.start(ctx)
}

func newSubscription(c *connection, tags []string, options []SubscribeOption) (*Subscription, error) {
	o := subscribeOptions{queue: 10_000, firstDelay: 200 * time.Millisecond, longestDelay: 5 * time.Second}
	for _, option := range options {
		option(&o)
	}
	if o.queue < 1 {
		return nil, argumentError("queue_size", "queue_size is %d, but at least one change has to fit", o.queue)
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &Subscription{
		c: c, o: o, ctx: ctx, cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}),
		queue: newChangeQueue(o.queue, o.overflow), items: newSubscribedItems(tags), state: Starting,
		readAt: map[string]time.Time{}, renewed: map[string]bool{},
	}
	x.queue.makeRoom(len(x.items.order))
	return x, nil
}

func (x *Subscription) start(ctx context.Context) (*Subscription, error) {
	go x.run()
	err := x.waitUntil(ctx, "subscribe", func() bool { return x.state != Starting })
	if err != nil {
		_ = x.Close()
		return nil, err
	}
	x.mu.Lock()
	failed, queued := x.err, len(x.queue.changes)
	x.mu.Unlock()
	if failed != nil && queued == 0 {
		_ = x.Close()
		return nil, failed
	}
	return x, nil
}

// ------------------------------------------------------------------------------------------------------- observing

// waitUntil waits for a condition, which is asked with the lock held.
func (x *Subscription) waitUntil(ctx context.Context, what string, condition func() bool) error {
	x.mu.Lock()
	for !condition() {
		changed := x.changed
		x.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return callerGone(ctx, what, "")
		}
		x.mu.Lock()
	}
	x.mu.Unlock()
	return nil
}

func (x *Subscription) notifyLocked() {
	close(x.changed)
	x.changed = make(chan struct{})
}

func (x *Subscription) setStateLocked(state SubscriptionState) {
	if x.state != state && x.state != Closed {
		x.state = state
		x.notifyLocked()
	}
}

// State is where the subscription stands now.
func (x *Subscription) State() SubscriptionState {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state
}

// States gives the state now and each later one, until Closed or the end of ctx.
func (x *Subscription) States(ctx context.Context) iter.Seq[SubscriptionState] {
	return func(yield func(SubscriptionState) bool) {
		var seen SubscriptionState
		for seen != Closed {
			var now SubscriptionState
			if x.waitUntil(ctx, "states", func() bool { now = x.state; return now != seen }) != nil || !yield(now) {
				return
			}
			seen = now
		}
	}
}

// Err is what ended the subscription; nil while it runs and after Close.
func (x *Subscription) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// Stats are the figures now.
func (x *Subscription) Stats() SubscriptionStats {
	x.mu.Lock()
	defer x.mu.Unlock()
	failures := map[string]string{}
	for tag, reason := range x.items.unresolved {
		failures[tag] = reason
	}
	for tag, reason := range x.items.failures {
		failures[tag] = reason
	}
	return SubscriptionStats{
		Tags: slices.Clone(x.items.order), Failures: failures, Gaps: x.gaps, Lost: x.lost, Dropped: x.queue.dropped,
		Waiting: len(x.queue.changes), Interruptions: x.interruptions, NewSessions: x.newSessions,
		LastInterruption: x.lastInterruption,
	}
}

// ------------------------------------------------------------------------------------------------------- consuming

// Next waits for the next change. After the end it gives the error that ended the subscription, or io.EOF after Close;
// changes that were queued come first.
func (x *Subscription) Next(ctx context.Context) (DataChange, error) {
	var change DataChange
	var end error
	err := x.waitUntil(ctx, "next change", func() bool {
		var ok bool
		if change, ok = x.queue.take(); ok {
			return true
		}
		if x.state == Closed {
			end = x.err
			if end == nil {
				end = io.EOF
			}
			return true
		}
		return false
	})
	if err != nil {
		return DataChange{}, err
	}
	return change, end
}

// All gives the changes until the subscription ends; an error is the last thing that it gives. Leaving the loop does
// not close the subscription.
func (x *Subscription) All(ctx context.Context) iter.Seq2[DataChange, error] {
	return func(yield func(DataChange, error) bool) {
		for {
			change, err := x.Next(ctx)
			if errors.Is(err, io.EOF) || !yield(change, err) || err != nil {
				return
			}
		}
	}
}

// Changes gives the changes as a channel, which is closed once after the last one; Err then tells why.
func (x *Subscription) Changes() <-chan DataChange {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pump == nil {
		x.pump = make(chan DataChange)
		go x.feed(x.pump)
	}
	return x.pump
}

func (x *Subscription) feed(pump chan<- DataChange) {
	defer close(pump)
	for {
		change, err := x.Next(context.Background())
		if err != nil {
			return
		}
		select {
		case pump <- change:
		case <-x.ctx.Done():
			return
		}
	}
}

// --------------------------------------------------------------------------------------------------- changing tags

// Add subscribes further tags; one that is there stays as it is, one that was refused is tried again. While the stream
// is interrupted it returns at once, and the tags are subscribed when it is there again.
func (x *Subscription) Add(ctx context.Context, tags ...string) error {
	return x.change(ctx, func() { x.items.want(tags); x.queue.makeRoom(len(x.items.order)) })
}

// Remove ends the subscription of some tags. No change of them is delivered any more, also none that waits.
func (x *Subscription) Remove(ctx context.Context, tags ...string) error {
	gone := map[string]bool{}
	for _, tag := range tags {
		gone[tag] = true
	}
	return x.change(ctx, func() {
		x.items.unwant(gone)
		x.queue.discard(gone)
		for tag := range gone {
			delete(x.readAt, tag)
			delete(x.renewed, tag)
		}
	})
}

func (x *Subscription) change(ctx context.Context, wish func()) error {
	x.mu.Lock()
	if x.state == Closed {
		defer x.mu.Unlock()
		return x.endedLocked()
	}
	wish()
	asked := x.items.ask()
	x.mu.Unlock()
	err := x.waitUntil(ctx, "changing tags", func() bool { return !x.items.serving || x.items.done >= asked || x.state == Closed })
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.items.done < asked && x.state == Closed {
		return x.endedLocked()
	}
	return nil
}

func (x *Subscription) endedLocked() error {
	if x.err != nil {
		return x.err
	}
	return newError(KindSession, "the subscription is closed")
}

// Close ends the subscription: its items are un-advised and removed as far as the gateway answers, and a session of its
// own is closed. Idempotent; it waits for its goroutines.
func (x *Subscription) Close() error {
	x.cancel()
	<-x.done
	return nil
}

// --------------------------------------------------------------------------------------------------------- the task
