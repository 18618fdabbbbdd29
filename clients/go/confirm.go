package mxgateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// WriteOutcome is a write that was confirmed.
type WriteOutcome struct {
	// Tag that was written, and the Value that was sent.
	Tag   string
	Value *pb.MxValue
	// Before is the first OnDataChange, Completion the OnWriteComplete.
	Before, Completion *pb.MxEvent
}

// ConfirmOption changes WriteAndConfirm.
type ConfirmOption func(*confirmOptions)

type confirmOptions struct {
	handle      int32
	userID      int32
	verifierID  *int32
	supervisory bool
	limit       time.Duration
}

// ConfirmWith uses a server handle of Register in place of one for this write alone.
func ConfirmWith(serverHandle int32) ConfirmOption {
	return func(o *confirmOptions) { o.handle = serverHandle }
}

// ConfirmAs writes in the name of a user of AuthenticateUser.
func ConfirmAs(user int32) ConfirmOption { return func(o *confirmOptions) { o.userID = user } }

// ConfirmVerified makes it a secured write: the verifier's id, or the operator's again where one signature is enough.
func ConfirmVerified(verifier int32) ConfirmOption {
	return func(o *confirmOptions) { o.verifierID = &verifier }
}

// ConfirmSupervisory uses AdviseSupervisory: secured attributes then take the write without a user.
func ConfirmSupervisory() ConfirmOption { return func(o *confirmOptions) { o.supervisory = true } }

// ConfirmWithin limits all of it; 15 s by default.
func ConfirmWithin(limit time.Duration) ConfirmOption {
	return func(o *confirmOptions) { o.limit = limit }
}

// WriteAndConfirm writes a tag by name and waits for the outcome: it adds and advises, writes once the first value is
// there, waits for OnWriteComplete, and removes the item again. Value is what ToMxValue takes, or a
// func(*MxEvent) (any, error) of the first value. The write is sent once.
//
// The error is one of ErrMxAccess when the reference does not exist or the write was refused or failed, and one of
// ErrTimeout when there was no value or no completion in time: its text says whether the write was sent, and its outcome
// so unknown.
func (s *Session) WriteAndConfirm(ctx context.Context, tag string, value any, options ...ConfirmOption) (*WriteOutcome, error) {
	o := &confirmOptions{limit: 15 * time.Second}
	for _, option := range options {
		option(o)
	}
	handle := o.handle
	if handle == 0 {
		var err error
		if handle, err = s.Register(ctx, "write "+tag); err != nil {
			return nil, err
		}
	}
	outcome, err := s.confirm(ctx, tag, value, handle, o)
	if o.handle == 0 {
		cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.c.shutdownTimeout)
		defer cancel()
		if failure := s.Unregister(cleaning, handle); failure != nil && err == nil {
			s.c.logger.Info("a write's registration could not be ended", "error", failure.Error())
		}
	}
	return outcome, err
}

func (s *Session) confirm(ctx context.Context, tag string, value any, handle int32, o *confirmOptions) (*WriteOutcome, error) {
	limited, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	isSent := false
	late := func(err error) error {
		if limited.Err() == nil || ctx.Err() != nil || !errors.Is(err, ErrTimeout) {
			return err
		}
		state := "no value came, nothing was written"
		if isSent {
			state = "OnWriteComplete did not come; the outcome is unknown"
		}
		return newError(KindTimeout, fmt.Sprintf("%s: %s within %v", tag, state, o.limit))
	}
	events, err := s.Events(limited)
	if err != nil {
		return nil, late(err)
	}
	defer events.Close()
	item, err := s.AddItem(limited, handle, tag)
	if err != nil {
		return nil, late(err)
	}
	defer func() {
		cleaning, stop := context.WithTimeout(context.WithoutCancel(ctx), s.c.shutdownTimeout)
		defer stop()
		if _, failure := s.UnsubscribeBulk(cleaning, handle, []int32{item}); failure != nil {
			s.c.logger.Info("a written item could not be removed", "error", failure.Error())
		}
	}()
	if s.has(CapabilityEventBatches) {
		// Beside another stream it gets only what comes once it stands, and this gateway tells when it does.
		events.Opened()
	}
	if o.supervisory {
		err = s.AdviseSupervisory(limited, handle, item)
	} else {
		err = s.Advise(limited, handle, item)
	}
	if err != nil {
		return nil, late(err)
	}
	before, err := awaitEvent(limited, events, item, pb.MxEventFamily_MX_EVENT_FAMILY_ON_DATA_CHANGE)
	if err != nil {
		return nil, late(err)
	}
	if err := checkEvent(before, tag+" cannot be written: its first value has failed"); err != nil {
		return nil, err
	}
	if choose, ok := value.(func(*pb.MxEvent) (any, error)); ok {
		if value, err = choose(before); err != nil {
			return nil, err
		}
	}
	converted, err := ToMxValue(value)
	if err != nil {
		return nil, err
	}
	isSent = true
	if o.verifierID != nil {
		err = s.WriteSecured(limited, handle, item, o.userID, *o.verifierID, converted)
	} else {
		err = s.Write(limited, handle, item, converted, AsUser(o.userID))
	}
	if err != nil {
		return nil, late(err)
	}
	completion, err := awaitEvent(limited, events, item, pb.MxEventFamily_MX_EVENT_FAMILY_ON_WRITE_COMPLETE)
	if err != nil {
		return nil, late(err)
	}
	if err := checkEvent(completion, "writing "+tag+" failed"); err != nil {
		return nil, err
	}
	return &WriteOutcome{Tag: tag, Value: converted, Before: before, Completion: completion}, nil
}

// awaitEvent waits for an event of an item; a completion that is pending announces another one.
func awaitEvent(ctx context.Context, events *EventStream, item int32, family pb.MxEventFamily) (*pb.MxEvent, error) {
	for {
		event, err := events.Next(ctx)
		if isEnd(err) {
			return nil, newError(KindTimeout, "the event stream ended")
		}
		if err != nil {
			return nil, err
		}
		if event.GetFamily() != family || event.GetItemHandle() != item {
			continue
		}
		pending := false
		for _, status := range event.GetStatuses() {
			pending = pending || status.GetCategory() == pb.MxStatusCategory_MX_STATUS_CATEGORY_PENDING
		}
		if !pending || family == pb.MxEventFamily_MX_EVENT_FAMILY_ON_DATA_CHANGE {
			return event, nil
		}
	}
}

func checkEvent(event *pb.MxEvent, text string) error {
	var failed []string
	for _, status := range event.GetStatuses() {
		if IsStatusFailure(status) {
			failed = append(failed, StatusText(status))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	err := newError(KindMxAccess, text+": "+strings.Join(failed, ", "))
	err.Reply, err.Statuses, err.HResult = event, event.GetStatuses(), event.Hresult
	return err
}
