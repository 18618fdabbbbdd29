package mxgateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// CallOption changes one call.
type CallOption func(*callOptions)

type callOptions struct {
	timeout       time.Duration
	correlationID string
	clientHandles []uint32
}

// Timeout is the deadline of this call, in place of the client's.
func Timeout(limit time.Duration) CallOption { return func(o *callOptions) { o.timeout = limit } }

// CorrelationID is sent with this call, to find it in the gateway's logs.
func CorrelationID(id string) CallOption { return func(o *callOptions) { o.correlationID = id } }

// ClientHandles are numbers of your own, one for each item that the call adds (AddItem, AddItemBulk, SubscribeBulk): where
// the gateway announces CapabilityClientHandles, every event of such an item carries its number, also one that comes
// before the reply. 0 is no number. Other calls ignore it.
func ClientHandles(numbers ...uint32) CallOption {
	return func(o *callOptions) { o.clientHandles = numbers }
}

func clientHandles(count int, options []CallOption) ([]uint32, error) {
	o := &callOptions{}
	for _, option := range options {
		option(o)
	}
	if found := len(o.clientHandles); found > 0 && found != count {
		return nil, argumentError("client_handles", "client_handles has %d numbers for %d items", found, count)
	}
	return o.clientHandles, nil
}

func clientHandle(options []CallOption) (uint32, error) {
	numbers, err := clientHandles(1, options)
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	return numbers[0], nil
}

// Session is one session of a gateway, with a worker process of its own. Its methods are those of LMXProxyServer, and
// may be called from any goroutine.
type Session struct {
	c        *connection
	id       string
	reply    *pb.OpenSessionReply
	commands *commandStream
	policy   pb.BackpressurePolicy

	mu            sync.Mutex
	closing       *closing
	subscriptions map[*Subscription]struct{}
}

// closing is a close that is under way, or was done.
type closing struct {
	done  chan struct{}
	reply *pb.CloseSessionReply
	err   error
}

func newSession(c *connection, reply *pb.OpenSessionReply) *Session {
	session := &Session{c: c, id: reply.GetSessionId(), reply: reply, subscriptions: map[*Subscription]struct{}{}}
	if session.has(CapabilityCommandStream) {
		session.commands = newCommandStream(c, session.id)
	}
	return session
}

func (s *Session) has(capability string) bool {
	return slices.Contains(s.reply.GetCapabilities(), capability)
}

// ID is the gateway's name of this session.
func (s *Session) ID() string { return s.id }

// Capabilities are what the gateway announced when the session opened.
func (s *Session) Capabilities() []string { return slices.Clone(s.reply.GetCapabilities()) }

// Simulated tells whether the values are no plant's; not known, so false, in a session of AttachSession.
func (s *Session) Simulated() bool { return s.reply.GetIsSimulated() }

// Raw is the reply that opened the session.
func (s *Session) Raw() *pb.OpenSessionReply { return s.reply }

// Closed tells whether Close was called.
func (s *Session) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing != nil
}

// maxBulk is how many entries one bulk command takes.
func (s *Session) maxBulk() int {
	if limit := s.reply.GetLimits().GetMaxBulkItems(); limit > 0 {
		return int(limit)
	}
	return MaxBulkItems
}

// Close ends the session and its worker, within the client's shutdown timeout. Idempotent: later and concurrent calls
// get the first reply. A close that failed may be tried again.
func (s *Session) Close(ctx context.Context) (*pb.CloseSessionReply, error) {
	s.mu.Lock()
	running := s.closing
	if running != nil {
		s.mu.Unlock()
		select {
		case <-running.done:
			return running.reply, running.err
		case <-ctx.Done():
			return nil, callerGone(ctx, "CloseSession", "")
		}
	}
	mine := &closing{done: make(chan struct{})}
	s.closing = mine
	subscriptions := make([]*Subscription, 0, len(s.subscriptions))
	for subscription := range s.subscriptions {
		subscriptions = append(subscriptions, subscription)
	}
	s.mu.Unlock()
	for _, subscription := range subscriptions {
		_ = subscription.Close()
	}
	if s.commands != nil {
		s.commands.close()
	}
	request := &pb.CloseSessionRequest{SessionId: s.id, ClientCorrelationId: NewCorrelationID()}
	mine.reply, mine.err = checkedCall(
		ctx, s.c, "CloseSession", request.GetClientCorrelationId(), true, s.c.shutdownTimeout, request, &pb.CloseSessionReply{})
	if mine.err != nil {
		s.mu.Lock()
		s.closing = nil
		s.mu.Unlock()
	}
	close(mine.done)
	return mine.reply, mine.err
}

// Invoke runs a command and checks the reply in full.
func (s *Session) Invoke(ctx context.Context, command *pb.MxCommand, options ...CallOption) (*pb.MxCommandReply, error) {
	reply, err := s.InvokeRaw(ctx, command, options...)
	if err != nil {
		return nil, err
	}
	if err := checkMxAccess(reply, methodName(command)); err != nil {
		return nil, err
	}
	return reply, nil
}

// InvokeRaw runs a command and leaves a failure of MXAccess in the reply.
func (s *Session) InvokeRaw(ctx context.Context, command *pb.MxCommand, options ...CallOption) (*pb.MxCommandReply, error) {
	o := &callOptions{}
	for _, option := range options {
		option(o)
	}
	id := o.correlationID
	if id == "" {
		id = NewCorrelationID()
	}
	if s.c.isClosed() {
		return nil, s.c.closedError(methodName(command))
	}
	retried := s.c.retry != nil && repeatableCommands[arm(command)]
	if s.commands == nil || retried || !s.commands.takes(id) {
		reply, err := s.c.invoke(ctx, &pb.MxCommandRequest{SessionId: s.id, ClientCorrelationId: id, Command: command}, o.timeout)
		if err != nil {
			return nil, err
		}
		return reply, nil
	}
	limit := o.timeout
	if limit == 0 {
		limit = s.c.callTimeout
	}
	reply, err := s.commands.invoke(ctx, command, id, limit)
	if err != nil {
		return nil, err
	}
	if err := checkProtocol(reply, methodName(command), id); err != nil {
		return nil, err
	}
	return reply, nil
}

// Ping sends a text through gateway and worker and returns what came back.
func (s *Session) Ping(ctx context.Context, message string, options ...CallOption) (string, error) {
	reply, err := s.Invoke(ctx, newCommand("ping", &pb.PingCommand{Message: message}), options...)
	return reply.GetDiagnosticMessage(), err
}

// State is the session's state as the gateway sees it.
func (s *Session) State(ctx context.Context, options ...CallOption) (pb.SessionState, error) {
	reply, err := s.Invoke(ctx, newCommand("get_session_state", &pb.GetSessionStateCommand{}), options...)
	if err != nil {
		return 0, err
	}
	if reply.GetGetSessionState() == nil {
		return 0, missingPayload(reply, "get_session_state")
	}
	return reply.GetGetSessionState().GetState(), nil
}

// WorkerInfo is process id, version and backend of the session's worker.
func (s *Session) WorkerInfo(ctx context.Context, options ...CallOption) (*pb.WorkerInfoReply, error) {
	reply, err := s.Invoke(ctx, newCommand("get_worker_info", &pb.GetWorkerInfoCommand{}), options...)
	if err != nil {
		return nil, err
	}
	if reply.GetGetWorkerInfo() == nil {
		return nil, missingPayload(reply, "get_worker_info")
	}
	return reply.GetGetWorkerInfo(), nil
}

// DrainEvents takes the events that wait for this session, at most so many, 0 for all; for diagnosis.
func (s *Session) DrainEvents(ctx context.Context, most uint32, options ...CallOption) ([]*pb.MxEvent, error) {
	reply, err := s.Invoke(ctx, newCommand("drain_events", &pb.DrainEventsCommand{MaxEvents: most}), options...)
	if err != nil {
		return nil, err
	}
	if reply.GetDrainEvents() == nil {
		return nil, missingPayload(reply, "drain_events")
	}
	return reply.GetDrainEvents().GetEvents(), nil
}

// ShutdownWorker asks the worker to end in order; for diagnosis. Needs the admin scope.
func (s *Session) ShutdownWorker(ctx context.Context, grace time.Duration, options ...CallOption) error {
	_, err := s.Invoke(ctx, newCommand("shutdown_worker", &pb.ShutdownWorkerCommand{GracePeriod: durationpb.New(grace)}), options...)
	return err
}

// InjectFault makes the simulator misbehave as named, for tests; refused unless the gateway allows it.
func (s *Session) InjectFault(ctx context.Context, fault string, parameters map[string]string, options ...CallOption) error {
	_, err := s.Invoke(ctx, newCommand("inject_fault", &pb.InjectFaultCommand{Fault: fault, Parameters: parameters}), options...)
	return err
}
