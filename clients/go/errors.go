package mxgateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// Kind says what an [Error] is about.
type Kind int

// The kinds. Connection, NotFound and Resource are special cases of Transport, MxAccess is one of Command.
const (
	// KindTransport: gRPC failed with a status that has no better kind.
	KindTransport Kind = iota + 1
	// KindConnection: the gateway cannot be reached, or it is going away.
	KindConnection
	// KindNotFound: what the request names does not exist, for example the root of a Galaxy browse.
	KindNotFound
	// KindResource: a limit of the gateway was met; try again later.
	KindResource
	// KindTimeout: the deadline was over. The MXAccess call may still be running, so the outcome is unknown.
	KindTimeout
	// KindAuthentication: no API key, or one that the gateway does not accept.
	KindAuthentication
	// KindAuthorization: the key may not do this.
	KindAuthorization
	// KindProtocol: a reply breaks the contract, or the versions do not fit.
	KindProtocol
	// KindSession: the session does not exist, is not ready, or is closed.
	KindSession
	// KindWorker: the session's worker process is gone or has failed. Open a new session.
	KindWorker
	// KindOverflow: a local queue overflowed, and its policy is to stop.
	KindOverflow
	// KindCommand: a command ended without success.
	KindCommand
	// KindMxAccess: MXAccess itself failed the call; HResult and Statuses are what COM answered.
	KindMxAccess
)

var kindNames = [...]string{
	"", "transport", "connection", "not found", "resource", "timeout", "authentication", "authorization", "protocol",
	"session", "worker", "overflow", "command", "mxaccess",
}

// String returns the kind in words.
func (k Kind) String() string {
	if k < 1 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// is tells whether the kind is the other one or a special case of it.
func (k Kind) is(other Kind) bool {
	switch k {
	case KindConnection, KindNotFound, KindResource:
		return other == k || other == KindTransport
	case KindMxAccess:
		return other == k || other == KindCommand
	}
	return other == k
}

type kindError Kind

func (e kindError) Error() string { return "mxgateway: " + Kind(e).String() }

// Sentinels for errors.Is. ErrTransport matches connection, not-found and resource errors too, ErrCommand those of
// MXAccess.
var (
	ErrTransport      error = kindError(KindTransport)
	ErrConnection     error = kindError(KindConnection)
	ErrNotFound       error = kindError(KindNotFound)
	ErrResource       error = kindError(KindResource)
	ErrTimeout        error = kindError(KindTimeout)
	ErrAuthentication error = kindError(KindAuthentication)
	ErrAuthorization  error = kindError(KindAuthorization)
	ErrProtocol       error = kindError(KindProtocol)
	ErrSession        error = kindError(KindSession)
	ErrWorker         error = kindError(KindWorker)
	ErrOverflow       error = kindError(KindOverflow)
	ErrCommand        error = kindError(KindCommand)
	ErrMxAccess       error = kindError(KindMxAccess)
)

// Error is any failure of the gateway, its worker or MXAccess. No text of it holds an API key.
type Error struct {
	Kind Kind
	// Message is the text, without secrets.
	Message string
	// Reason is the gateway's word for the cause, such as SESSION_NOT_FOUND; empty when there is none.
	Reason string
	// CorrelationID finds the call in the gateway's logs; empty when unknown.
	CorrelationID string
	// Code is the gRPC status of a failed call; codes.OK when no call failed.
	Code codes.Code
	// Retryable tells whether the same call may be sent again by hand. It is never set for what may have changed the
	// plant.
	Retryable bool
	// RetryAfter is how long the gateway asks to wait before that; 0 when it does not ask.
	RetryAfter time.Duration
	// HResult is that of the reply, nil where there is none.
	HResult *int32
	// Statuses are the reply's.
	Statuses []*pb.MxStatusProxy
	// ProtocolStatus is the reply's, nil where there is none.
	ProtocolStatus *pb.ProtocolStatus
	// Reply is the message that says so: an *MxCommandReply, or an event; nil where there is none.
	Reply proto.Message

	cause error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns what gRPC said.
func (e *Error) Unwrap() error { return e.cause }

// Is matches the sentinels of this package, and context.DeadlineExceeded for timeouts.
func (e *Error) Is(target error) bool {
	if kind, ok := target.(kindError); ok {
		return e.Kind.is(Kind(kind))
	}
	return target == context.DeadlineExceeded && e.Kind == KindTimeout
}

func newError(kind Kind, message string) *Error {
	return &Error{Kind: kind, Message: redactText(message), Retryable: retryableKinds[kind]}
}

// ArgumentError is what the library refuses before anything is sent.
type ArgumentError struct {
	// Argument names the option or parameter.
	Argument string
	// Message says what is wrong, and what would be right.
	Message string

	cause error
}

// Error returns the message, which begins with the argument.
func (e *ArgumentError) Error() string { return e.Message }

// Unwrap returns the cause, nil where there is none.
func (e *ArgumentError) Unwrap() error { return e.cause }

func argumentError(argument, format string, parts ...any) error {
	err := fmt.Errorf(format, parts...)
	return &ArgumentError{Argument: argument, Message: redactText(err.Error()), cause: errors.Unwrap(err)}
}

// callerGone returns what a call gives whose own context is over: the caller's cancellation as it is, a deadline as a
// timeout. Nil while the context lives.
func callerGone(ctx context.Context, what, correlationID string) error {
	switch ctx.Err() {
	case nil:
		return nil
	case context.DeadlineExceeded:
		err := newError(KindTimeout, what+": DEADLINE_EXCEEDED: the deadline was over")
		err.Code, err.CorrelationID = codes.DeadlineExceeded, correlationID
		return err
	}
	return fmt.Errorf("%s: %w", what, ctx.Err())
}

// codeName is the code as the contract writes it, for example NOT_FOUND.
func codeName(code codes.Code) string {
	switch code {
	case codes.OK:
		return "OK"
	case codes.Canceled:
		return "CANCELLED"
	}
	var name strings.Builder
	for index, letter := range code.String() {
		if index > 0 && letter >= 'A' && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}

// CodeName returns the name of a gRPC status as the contract writes it, for example NOT_FOUND.
func CodeName(code codes.Code) string { return codeName(code) }
