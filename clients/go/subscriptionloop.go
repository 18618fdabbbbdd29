package mxgateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

func (x *Subscription) run() {
	defer close(x.done)
	stream, err := x.connect()
	lost := 0
	for {
		if err == nil {
			err = x.serve(stream)
		}
		if x.ctx.Err() != nil {
			x.end(nil)
			return
		}
		x.mu.Lock()
		if x.isSetUp {
			x.interruptions++
		}
		mayGoOn := x.stands || (x.isSetUp && (isTransient(err) || (x.owns && saysSessionLost(err))))
		if !x.stands && saysSessionLost(err) {
			lost++
			mayGoOn = mayGoOn && lost < mostLost
		}
		x.mu.Unlock()
		if errors.Is(err, ErrOverflow) || !mayGoOn {
			x.end(err)
			return
		}
		if stream, err = x.reconnect(err); err != nil {
			if x.ctx.Err() != nil {
				err = nil
			}
			x.end(err)
			return
		}
	}
}

// reconnect opens a stream again; an error is the end.
func (x *Subscription) reconnect(failure error) (*EventStream, error) {
	x.mu.Lock()
	x.lastInterruption = failure
	if x.stands {
		x.setStateLocked(Reconnecting)
	}
	x.mu.Unlock()
	if x.o.noReconnect {
		return nil, failure
	}
	for {
		isLost := saysSessionLost(failure)
		if (isLost && !x.owns) || (!isLost && !isTransient(failure)) {
			return nil, failure
		}
		if err := x.c.pause(x.ctx, x.delay(failure)); err != nil {
			return nil, err
		}
		var stream *EventStream
		var err error
		if isLost || !x.isSetUp {
			stream, err = x.replaceSession()
		} else {
			stream, err = x.resume()
		}
		if err == nil {
			return stream, nil
		}
		if x.ctx.Err() != nil {
			return nil, err
		}
		if saysSessionLost(err) && !isLost {
			// The gateway is there again and has answered: the new session need not wait.
			x.attempts = 0
		}
		failure = err
		x.mu.Lock()
		x.lastInterruption = err
		x.mu.Unlock()
	}
}

func (x *Subscription) delay(failure error) time.Duration {
	attempt := x.attempts
	x.attempts++
	var longest time.Duration
	if attempt > 0 {
		longest = min(x.o.firstDelay<<min(attempt, 10), x.o.longestDelay)
	}
	wait := time.Duration(float64(longest) * (0.5 + x.c.jitter()/2))
	var asked *Error
	if errors.As(failure, &asked) {
		wait = max(wait, asked.RetryAfter)
	}
	return wait
}

func (x *Subscription) connect() (*EventStream, error) {
	x.isSetUp = false
	session, err := x.open(x.ctx)
	if err != nil {
		return nil, err
	}
	x.session = session
	// The stream comes first, so that no first value is missed.
	stream, err := session.Events(x.ctx, x.recovering()...)
	if err != nil {
		return nil, err
	}
	handle, err := session.Register(x.ctx, "subscription")
	if err != nil {
		_ = stream.Close()
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.items.begin(handle, session.has(CapabilityClientHandles))
	x.position = 0
	for _, each := range x.early {
		x.queue.lostNext += each.lost
	}
	x.early = nil
	clear(x.readAt)
	clear(x.renewed)
	if x.stands {
		// The first value of each tag replaces what was missed while there was no session.
		for _, tag := range x.items.order {
			x.renewed[tag] = true
		}
	}
	return stream, nil
}

func (x *Subscription) replaceSession() (*EventStream, error) {
	x.isSetUp = false
	if x.session != nil && x.owns {
		ctx, cancel := context.WithTimeout(x.ctx, x.c.shutdownTimeout)
		_, err := x.session.Close(ctx)
		cancel()
		if err != nil {
			x.c.logger.Info("the lost session could not be closed", "error", err.Error())
		}
	}
	return x.connect()
}

func (x *Subscription) resume() (*EventStream, error) {
	// Asks first: a stream alone would only fail with its first event.
	if _, err := x.session.State(x.ctx); err != nil {
		return nil, err
	}
	x.mu.Lock()
	position := x.position
	x.mu.Unlock()
	if position == 0 {
		// Before its first event there is no position to go on from, only the beginning.
		return x.session.Events(x.ctx, append(x.recovering(), FromBeginning())...)
	}
	return x.session.Events(x.ctx, append(x.recovering(), After(position))...)
}

// recovers tells whether the gateway itself sends the present values after a gap.
func (x *Subscription) recovers() bool { return x.session.has(CapabilityRecoveredValues) }

func (x *Subscription) recovering() []StreamOption {
	if x.recovers() {
		return []StreamOption{RecoverGaps()}
	}
	return nil
}

// serve feeds the queue and keeps the items as they are wanted, until the stream or a command fails.
func (x *Subscription) serve(stream *EventStream) error {
	ctx, cancel := context.WithCancel(x.ctx)
	began := time.Now()
	var keeping sync.WaitGroup
	failures := make(chan error, 3)
	x.mu.Lock()
	x.items.serving = true
	x.isStreamOpen = false
	isFirst := x.position == 0
	x.mu.Unlock()
	keeping.Add(2)
	go func() {
		defer keeping.Done()
		if err := x.items.keep(ctx, x); err != nil {
			failures <- err
			_ = stream.Close()
		}
	}()
	go func() {
		defer keeping.Done()
		// Quiet tags may send nothing for hours; the stream stands all the same.
		if stream.Opened() {
			x.mu.Lock()
			x.streamStandsLocked()
			x.mu.Unlock()
		}
	}()
	err := x.read(ctx, stream, isFirst)
	if isEnd(err) {
		err = newError(KindConnection, "the gateway ended the event stream")
	}
	if !errors.Is(err, ErrOverflow) {
		// With the tags in the session what has come counts, and the stream can be resumed.
		x.items.allKnown(ctx, x)
	}
	select {
	case first := <-failures:
		err = first
	default:
	}
	cancel()
	_ = stream.Close()
	keeping.Wait()
	x.mu.Lock()
	x.items.serving = false
	x.notifyLocked()
	x.mu.Unlock()
	if time.Since(began) > x.o.longestDelay {
		x.attempts = 0
	}
	return err
}

// policy is what the session was opened with; unspecified where that is not known.
func (x *Subscription) policy() pb.BackpressurePolicy {
	request := &pb.OpenSessionRequest{}
	for _, option := range x.o.sessionOptions {
		option(request)
	}
	if x.session != nil && x.session.policy != 0 {
		return x.session.policy
	}
	return request.GetBackpressurePolicy()
}

func (x *Subscription) end(err error) {
	session := x.session
	x.mu.Lock()
	if x.err == nil {
		x.err = err
	}
	registered := x.items.registered
	x.setStateLocked(Closed)
	x.mu.Unlock()
	if session == nil {
		return
	}
	if !x.owns {
		session.mu.Lock()
		delete(session.subscriptions, x)
		session.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), x.c.shutdownTimeout)
	defer cancel()
	var failure error
	switch {
	case x.owns:
		_, failure = session.Close(ctx)
	case registered && !saysSessionLost(err):
		failure = x.items.removeAll(ctx, x)
	}
	if failure != nil {
		// The session ends with its lease; the subscription is over in any case.
		x.c.logger.Info("what a subscription had could not be removed", "error", fmt.Sprint(failure))
	}
	x.cancel()
}

// --------------------------------------------------------------------------------------------- which errors go on

func saysSessionLost(err error) bool { return errors.Is(err, ErrSession) || errors.Is(err, ErrWorker) }

// isTransient tells whether the same session may be there again later.
func isTransient(err error) bool {
	var failure *Error
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Kind {
	case KindResource:
		return failure.Retryable
	case KindConnection, KindTimeout:
		return true
	}
	// Nobody here cancels a command: the gateway did, because it stops.
	if failure.ProtocolStatus.GetCode() == pb.ProtocolStatusCode_PROTOCOL_STATUS_CODE_CANCELED {
		return true
	}
	switch failure.Code {
	case codes.Internal, codes.Unknown, codes.Aborted, codes.DataLoss:
		return true
	}
	return false
}
