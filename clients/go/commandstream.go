package mxgateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

const (
	// staleAfter is how long without a command makes the next one get a new stream: proxies end idle ones.
	staleAfter = 2 * time.Second
	// batchBytes is about how long one message of commands gets.
	batchBytes = 1 << 20
)

// pendingCommand is a command that somebody waits for.
type pendingCommand struct {
	message *pb.MxStreamCommand
	what    string
	size    int
	// sentIn is the number of the message that it went in; 0 before.
	sentIn uint64
	answer chan commandAnswer
}

type commandAnswer struct {
	reply *pb.MxCommandReply
	err   error
}

// commandStream carries the commands of one session: everything that waits travels in one message, so concurrent calls
// pipeline by themselves. It is opened by its first command, and after a failure by the next one.
type commandStream struct {
	c         *connection
	sessionID string

	mu            sync.Mutex
	underWay      map[string]*pendingCommand
	waiting       []*pendingCommand
	cancels       []string
	inWindow      int
	pacing        commandPacing
	pacer         *time.Timer
	usedAt        time.Time
	isClosed      bool
	isUnsupported bool
	run           *commandRun
	running       sync.WaitGroup
}

// commandRun is one stream of the session; wake has room for one.
type commandRun struct {
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
}

func newCommandStream(c *connection, sessionID string) *commandStream {
	return &commandStream{c: c, sessionID: sessionID, underWay: map[string]*pendingCommand{}}
}

// takes tells whether a command with this id can go over the stream; otherwise it has to go as a unary call.
func (s *commandStream) takes(correlationID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.underWay[correlationID]
	return !s.isClosed && !s.isUnsupported && !known
}

func (s *commandStream) invoke(ctx context.Context, command *pb.MxCommand, correlationID string, limit time.Duration) (*pb.MxCommandReply, error) {
	what := methodName(command)
	if err := callerGone(ctx, what, correlationID); err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	pending := &pendingCommand{
		message: &pb.MxStreamCommand{CorrelationId: correlationID, Command: command, Timeout: durationpb.New(limit)},
		what:    what, answer: make(chan commandAnswer, 1),
	}
	if err := s.c.checkSize(pending.message, what, correlationID); err != nil {
		return nil, err
	}
	pending.size = proto.Size(pending.message)
	if err := s.begin(pending); err != nil {
		return nil, err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case answer := <-pending.answer:
		return answer.reply, answer.err
	case <-ctx.Done():
	case <-timer.C:
	}
	if !s.forget(pending) {
		// The reply came in this very moment: there is one outcome, and this is it.
		answer := <-pending.answer
		return answer.reply, answer.err
	}
	if err := callerGone(ctx, what, correlationID); err != nil {
		return nil, err
	}
	err := newError(KindTimeout, fmt.Sprintf("%s: DEADLINE_EXCEEDED: no reply within %v", what, limit))
	err.Code, err.CorrelationID = codes.DeadlineExceeded, correlationID
	return nil, err
}

func (s *commandStream) begin(pending *pendingCommand) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		err := newError(KindSession, pending.what+": the session was closed during the call")
		err.CorrelationID = pending.message.GetCorrelationId()
		return err
	}
	now := time.Now()
	if s.run != nil && len(s.underWay) == 0 && now.Sub(s.usedAt) > staleAfter {
		// Between here and the gateway somebody may be ending it right now, and the command with it.
		s.run.cancel()
		s.run = nil
	}
	s.usedAt = now
	s.underWay[pending.message.GetCorrelationId()] = pending
	s.waiting = append(s.waiting, pending)
	if s.run == nil {
		ctx, cancel := context.WithCancel(context.Background())
		if s.c.streamTimeout > 0 {
			ctx, cancel = context.WithTimeout(context.Background(), s.c.streamTimeout)
		}
		s.run = &commandRun{ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1)}
		s.running.Add(1)
		go s.serve(s.run)
	}
	if s.pacing.holds(s.inWindow) {
		s.holdLocked(now)
	} else {
		s.wakeLocked()
	}
	return nil
}

// holdLocked lets what waits wait for the next reply, but not for long.
func (s *commandStream) holdLocked(now time.Time) {
	s.pacing.hold(now)
	if s.pacer == nil {
		s.pacer = time.AfterFunc(longestHold, s.holdNoLonger)
	}
}

func (s *commandStream) holdNoLonger() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pacer = nil
	switch left := s.pacing.look(time.Now()); {
	case left > 0:
		s.pacer = time.AfterFunc(left, s.holdNoLonger)
	case s.pacing.isOverdue:
		s.wakeLocked()
	}
}

func (s *commandStream) wakeLocked() {
	if s.run == nil {
		return
	}
	select {
	case s.run.wake <- struct{}{}:
	default:
	}
}

// forget drops a command that nobody waits for: it is not sent, or the gateway is told to drop it from its queue. False
// when its answer is there.
func (s *commandStream) forget(pending *pendingCommand) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := pending.message.GetCorrelationId()
	if s.underWay[id] != pending {
		return false
	}
	delete(s.underWay, id)
	if pending.sentIn > 0 {
		s.inWindow--
		s.cancels = append(s.cancels, id)
		s.wakeLocked()
	}
	return true
}

// serve runs one stream: this goroutine receives, another one sends.
func (s *commandStream) serve(run *commandRun) {
	defer s.running.Done()
	defer run.cancel()
	what := rpcCall{what: "InvokeStream"}
	ctx, key, err := s.c.authorized(run.ctx)
	if err != nil {
		s.end(run, newError(KindTransport, err.Error()))
		return
	}
	what.key = key
	stream, err := s.c.cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, serviceName+"InvokeStream")
	if err != nil {
		s.end(run, s.mapped(what, err))
		return
	}
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		s.send(run, stream)
	}()
	for {
		batch := &pb.MxCommandReplyBatch{}
		if err = stream.RecvMsg(batch); err != nil {
			break
		}
		s.settle(batch)
	}
	run.cancel()
	<-sending
	if errors.Is(err, io.EOF) {
		s.end(run, newError(KindTransport, "the gateway ended the command stream"))
		return
	}
	s.end(run, s.mapped(what, err))
}

func (s *commandStream) mapped(what rpcCall, err error) error {
	if s.c.isClosed() {
		return newError(KindTransport, "the client was closed during the call")
	}
	return what.mapRPC(err)
}

func (s *commandStream) send(run *commandRun, stream grpc.ClientStream) {
	for first := true; ; {
		// Whoever else is about to send gets into the same message: without this most carry one command.
		runtime.Gosched()
		batch := s.next(run)
		if first {
			batch.SessionId = s.sessionID
		}
		if first || len(batch.Commands) > 0 || len(batch.CancelCorrelationIds) > 0 {
			first = false
			if stream.SendMsg(batch) != nil {
				// The receiving side learns why.
				return
			}
			continue
		}
		select {
		case <-run.wake:
		case <-run.ctx.Done():
			return
		}
	}
}

// next is everything that waits, within the window and the size of a message.
func (s *commandStream) next(run *commandRun) *pb.MxCommandBatch {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := &pb.MxCommandBatch{}
	if s.run != run {
		return batch
	}
	batch.CancelCorrelationIds, s.cancels = s.cancels, nil
	if s.pacing.holds(s.inWindow) {
		if len(s.waiting) > 0 {
			s.holdLocked(time.Now())
		}
		return batch
	}
	message, size, most := uint64(0), 0, min(batchBytes, s.c.maxMessageBytes-envelopeBytes)
	for len(s.waiting) > 0 && s.inWindow < commandWindow && len(batch.Commands) < commandsPerMessage {
		pending := s.waiting[0]
		if size > 0 && size+pending.size > most {
			break
		}
		s.waiting = s.waiting[1:]
		if s.underWay[pending.message.GetCorrelationId()] != pending {
			continue
		}
		if len(batch.Commands) == 0 {
			message = s.pacing.send(s.inWindow)
		}
		pending.sentIn = message
		s.inWindow++
		size += pending.size
		batch.Commands = append(batch.Commands, pending.message)
	}
	return batch
}

func (s *commandStream) settle(batch *pb.MxCommandReplyBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usedAt = time.Now()
	for _, reply := range batch.GetReplies() {
		pending := s.underWay[reply.GetCorrelationId()]
		if pending == nil {
			// The reply to a command that timed out or was cancelled.
			continue
		}
		delete(s.underWay, reply.GetCorrelationId())
		s.inWindow--
		s.pacing.answer(pending.sentIn)
		pending.answer <- commandAnswer{reply: reply}
	}
	if len(s.waiting) > 0 {
		s.wakeLocked()
	}
}

// end is the end of a stream; what waits belongs to another one where that has taken its place already.
func (s *commandStream) end(run *commandRun, err error) {
	run.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != run {
		return
	}
	s.run = nil
	var failure *Error
	if errors.As(err, &failure) && failure.Code == codes.Unimplemented {
		s.isUnsupported = true
	}
	s.failLocked(err)
}

func (s *commandStream) failLocked(err error) {
	for id, pending := range s.underWay {
		failure := newError(KindTransport, pending.what+": "+err.Error())
		var cause *Error
		if errors.As(err, &cause) {
			copied := *cause
			copied.Message = failure.Message
			failure = &copied
		}
		failure.CorrelationID = id
		// Whether it ran is unknown, so it may not be repeated unseen.
		failure.Retryable = retryableKinds[failure.Kind]
		pending.answer <- commandAnswer{err: failure}
	}
	clear(s.underWay)
	s.waiting, s.cancels, s.inWindow = nil, nil, 0
}

// close ends the stream; commands that still wait fail. Idempotent.
func (s *commandStream) close() {
	s.mu.Lock()
	s.isClosed = true
	s.failLocked(newError(KindSession, "the session was closed during the call"))
	if s.run != nil {
		s.run.cancel()
		s.run = nil
	}
	s.mu.Unlock()
	s.running.Wait()
}
