package mxgateway

import (
	"context"
	"errors"
	"io"
	"iter"
	"runtime"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Stream is a server's stream of messages. Closing it, or the end of the context that it was opened with, ends it; that
// never aborts a COM call. Its methods may be called from any goroutine; messages go to one of those that wait.
type Stream[M proto.Message] struct{ inner *stream[M] }

// stream is what a Stream holds. It is apart, so that a Stream that is forgotten ends its call.
type stream[M proto.Message] struct {
	c      *connection
	what   rpcCall
	ctx    context.Context
	cancel context.CancelFunc
	call   grpc.ClientStream
	make   func() M

	turn    chan struct{} // held by whoever receives
	pending chan received[M]
	mu      sync.Mutex
	end     error // how it ended; the first end wins
}

type received[M proto.Message] struct {
	message M
	err     error
}

// openStream starts the call; it is under way when this returns.
func openStream[M proto.Message](
	ctx context.Context, c *connection, what call, request proto.Message, make_ func() M,
) (*Stream[M], error) {
	if c.isClosed() {
		return nil, c.closedError(what.what)
	}
	if err := callerGone(ctx, what.what, what.correlationID); err != nil {
		return nil, err
	}
	limited, cancel := context.WithCancel(ctx)
	limit := what.timeout
	if limit == 0 {
		limit = c.streamTimeout
	}
	if limit > 0 {
		var stop context.CancelFunc
		limited, stop = context.WithTimeout(limited, limit)
		outer := cancel
		cancel = func() { stop(); outer() }
	}
	with, key, err := c.authorized(limited)
	if err != nil {
		cancel()
		return nil, err
	}
	what.key = key
	opened, err := c.cc.NewStream(with, &grpc.StreamDesc{ServerStreams: true}, what.method, what.options...)
	if err == nil {
		err = opened.SendMsg(request)
		if err == nil {
			err = opened.CloseSend()
		}
		if errors.Is(err, io.EOF) {
			// The status comes with the first message.
			err = nil
		}
	}
	if err != nil {
		defer cancel()
		return nil, what.failed(ctx, err)
	}
	inner := &stream[M]{
		c: c, what: what.rpcCall, ctx: ctx, cancel: cancel, call: opened, make: make_,
		turn: make(chan struct{}, 1), pending: make(chan received[M], 1),
	}
	outer := &Stream[M]{inner}
	runtime.AddCleanup(outer, func(cancel context.CancelFunc) { cancel() }, cancel)
	return outer, nil
}

// Next waits for the next message; io.EOF after an ordinary end or after Close. The end of ctx ends the wait only: the
// message that was waited for is the next one's.
func (s *Stream[M]) Next(ctx context.Context) (M, error) {
	// Whoever waits has not forgotten it, also where nobody else has it any more.
	defer runtime.KeepAlive(s)
	return s.inner.next(ctx)
}

// All gives the messages until the stream ends; after an error it ends. Leaving the loop closes the stream.
func (s *Stream[M]) All(ctx context.Context) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		defer s.Close()
		for {
			message, err := s.Next(ctx)
			if errors.Is(err, io.EOF) || !yield(message, err) || err != nil {
				return
			}
		}
	}
}

// Opened waits until the gateway has accepted the stream, or has refused it, which Next tells. A gateway that says
// nothing before its first message lets wait until then.
func (s *Stream[M]) Opened() bool {
	defer runtime.KeepAlive(s)
	header, err := s.inner.call.Header()
	return err == nil && header != nil
}

// Close ends the stream at once. Idempotent; a stream that has ended stays as it ended.
func (s *Stream[M]) Close() error {
	_ = s.inner.finish(io.EOF)
	return nil
}

func (s *stream[M]) next(ctx context.Context) (M, error) {
	var none M
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return none, callerGone(ctx, s.what.what, s.what.correlationID)
	}
	got, err := s.receive(ctx)
	<-s.turn
	return got, err
}

func (s *stream[M]) receive(ctx context.Context) (M, error) {
	var none M
	select {
	case late := <-s.pending:
		return s.taken(late)
	default:
	}
	if err := s.ended(); err != nil {
		return none, err
	}
	if ctx.Done() == nil || ctx == s.ctx {
		return s.taken(s.read())
	}
	go func() { s.pending <- s.read() }()
	select {
	case got := <-s.pending:
		return s.taken(got)
	case <-ctx.Done():
		// The read goes on, and its goroutine ends with it or with the stream.
		return none, callerGone(ctx, s.what.what, s.what.correlationID)
	}
}

func (s *stream[M]) read() received[M] {
	message := s.make()
	if err := s.call.RecvMsg(message); err != nil {
		return received[M]{err: err}
	}
	return received[M]{message: message}
}

func (s *stream[M]) taken(got received[M]) (M, error) {
	var none M
	if got.err == nil {
		if err := s.ended(); err != nil && errors.Is(err, io.EOF) {
			return none, err
		}
		return got.message, nil
	}
	end := got.err
	if !errors.Is(end, io.EOF) {
		if s.ctx.Err() == nil && s.c.isClosed() {
			end = newError(KindTransport, s.what.what+": the client was closed during the stream")
		} else {
			end = s.what.failed(s.ctx, end)
		}
	}
	return none, s.finish(end)
}

// finish notes how the stream ended; the first end wins.
func (s *stream[M]) finish(end error) error {
	s.mu.Lock()
	if s.end == nil {
		s.end = end
	}
	end = s.end
	s.mu.Unlock()
	s.cancel()
	return end
}

func (s *stream[M]) ended() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}
