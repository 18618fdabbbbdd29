package mxgateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// Version of this client.
const Version = "0.1.0"

// ConnectionState says where the connection of a client stands.
type ConnectionState string

// The states of a connection.
const (
	StateIdle         ConnectionState = "idle"
	StateConnecting   ConnectionState = "connecting"
	StateConnected    ConnectionState = "connected"
	StateReconnecting ConnectionState = "reconnecting"
	StateClosed       ConnectionState = "closed"
)

var connectionStates = map[connectivity.State]ConnectionState{
	connectivity.Idle: StateIdle, connectivity.Connecting: StateConnecting, connectivity.Ready: StateConnected,
	connectivity.TransientFailure: StateReconnecting, connectivity.Shutdown: StateClosed,
}

// connection is a channel with its options: deadlines, key, retries, and gRPC's errors in this package's terms.
type connection struct {
	*options
	cc     *grpc.ClientConn
	closed chan struct{}
	once   sync.Once
	jitter func() float64
}

func newConnection(endpoint string, given []Option) (*connection, error) {
	o, err := newOptions(endpoint, given)
	if err != nil {
		return nil, err
	}
	creds := insecure.NewCredentials()
	if !o.plaintext {
		var config *tls.Config
		if config, err = o.tlsConfig(); err != nil {
			return nil, err
		}
		creds = credentials.NewTLS(config)
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		// A library reads nothing from the environment; retries are its own decision, call by call.
		grpc.WithNoProxy(), grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(o.maxMessageBytes), grpc.MaxCallSendMsgSize(o.maxMessageBytes)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: o.connectTimeout,
		}),
		grpc.WithUserAgent("mxgateway-go/" + Version),
	}
	if o.keepaliveTime > 0 {
		dial = append(dial, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: o.keepaliveTime, Timeout: o.keepaliveTimeout}))
	}
	cc, err := grpc.NewClient(o.target(), dial...)
	if err != nil {
		return nil, argumentError("endpoint", "endpoint %q cannot be used: %w", endpoint, err)
	}
	return &connection{options: o, cc: cc, closed: make(chan struct{}), jitter: rand.Float64}, nil
}

// ready waits until the gateway answers.
func (c *connection) ready(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, c.connectTimeout)
	defer cancel()
	c.cc.Connect()
	for {
		state := c.cc.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure:
			return c.cause(limited)
		}
		if !c.cc.WaitForStateChange(limited, state) {
			if ctx.Err() != nil {
				return callerGone(ctx, "cannot reach "+c.endpoint, "")
			}
			err := newError(KindTimeout, fmt.Sprintf("%s did not answer within %v; is this the gateway's address and port?", c.endpoint, c.connectTimeout))
			err.Retryable = true
			return err
		}
	}
}

// cause asks a call why there is no connection: the state alone does not say it.
func (c *connection) cause(ctx context.Context) error {
	err := c.cc.Invoke(ctx, "/grpc.health.v1.Health/Check", &emptypb.Empty{}, &emptypb.Empty{}, grpc.WaitForReady(false))
	if err == nil {
		return nil
	}
	what := "cannot reach " + c.endpoint
	if c.plaintext {
		what += " without TLS"
	}
	return rpcCall{what: what, plaintext: c.plaintext, key: c.key, connecting: true}.mapRPC(err)
}

func (c *connection) state() ConnectionState {
	select {
	case <-c.closed:
		return StateClosed
	default:
		return connectionStates[c.cc.GetState()]
	}
}

// states gives the state now and after each change, until the connection or the context ends.
func (c *connection) states(ctx context.Context) iter.Seq[ConnectionState] {
	return func(yield func(ConnectionState) bool) {
		for {
			before := c.cc.GetState()
			if !yield(c.state()) || before == connectivity.Shutdown || !c.cc.WaitForStateChange(ctx, before) {
				return
			}
		}
	}
}

func (c *connection) close() error {
	c.once.Do(func() {
		close(c.closed)
		// The only error is that it is closed already.
		_ = c.cc.Close()
	})
	return nil
}

func (c *connection) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

func (c *connection) closedError(what string) error {
	return newError(KindTransport, what+": the client is closed")
}

// call is one unary call.
type call struct {
	rpcCall
	method     string
	timeout    time.Duration
	idempotent bool
	options    []grpc.CallOption
}

// unary makes a call; the time limit spans all attempts.
func (c *connection) unary(ctx context.Context, what call, request, reply proto.Message) error {
	if err := c.checkSize(request, what.what, what.correlationID); err != nil {
		return err
	}
	limit := what.timeout
	if limit == 0 {
		limit = c.callTimeout
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := c.attempt(limited, ctx, what, request, reply)
		var failure *Error
		if c.retry == nil || !what.idempotent || !errors.As(err, &failure) || !failure.Retryable || attempt >= c.retry.MaxAttempts {
			return err
		}
		backoff := min(c.retry.InitialDelay<<min(attempt-1, 20), c.retry.MaxDelay)
		delay := max(time.Duration(float64(backoff)*c.jitter()), failure.RetryAfter)
		if deadline, ok := limited.Deadline(); ok && time.Until(deadline) <= delay {
			return err
		}
		if c.pause(limited, delay) != nil {
			return what.failed(ctx, err)
		}
	}
}

func (c *connection) attempt(limited, ctx context.Context, what call, request, reply proto.Message) error {
	if c.isClosed() {
		return c.closedError(what.what)
	}
	with, key, err := c.authorized(limited)
	if err != nil {
		return err
	}
	what.key = key
	err = c.cc.Invoke(with, what.method, request, reply)
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && c.isClosed() {
		return newError(KindTransport, what.what+": the client was closed during the call")
	}
	return what.failed(ctx, err)
}

// authorized adds the key.
func (c *connection) authorized(ctx context.Context) (context.Context, string, error) {
	key, err := c.apiKey(ctx)
	if err != nil || key == "" {
		return ctx, "", err
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key), key, nil
}

// checkSize refuses what is above the limit of a message: on a stream gRPC would end all that is under way with it.
func (c *connection) checkSize(message proto.Message, what, correlationID string) error {
	if size := proto.Size(message); size > c.maxMessageBytes-envelopeBytes {
		err := newError(KindResource, fmt.Sprintf(
			"%s: %d bytes and their envelope are above the limit of a message, %d (max_message_bytes, which the gateway has, too); nothing was sent",
			what, size, c.maxMessageBytes))
		err.Code, err.CorrelationID, err.Retryable = codes.ResourceExhausted, correlationID, false
		return err
	}
	return nil
}

// pause waits between two attempts; closing ends that at once, which the next attempt tells.
func (c *connection) pause(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Client is a connection to a gateway; sessions are opened on it. It serves any number of goroutines.
type Client struct{ c *connection }

// Connect makes a client and waits until the gateway answers, at most the connect timeout.
//
// The error is an *ArgumentError for an option that makes no sense, one of ErrConnection when the gateway cannot be
// reached or its certificate is not trusted, and one of ErrTimeout when it does not answer.
func Connect(ctx context.Context, endpoint string, options ...Option) (*Client, error) {
	client, err := New(endpoint, options...)
	if err != nil {
		return nil, err
	}
	if err := client.c.ready(ctx); err != nil {
		_ = client.Close()
		return nil, err
	}
	return client, nil
}

// New makes a client without connecting; the first call does.
func New(endpoint string, options ...Option) (*Client, error) {
	c, err := newConnection(endpoint, options)
	if err != nil {
		return nil, err
	}
	return &Client{c}, nil
}

// Close ends all calls on the client. Idempotent. Sessions end soon after in the gateway.
func (c *Client) Close() error { return c.c.close() }

// State is where the connection stands now.
func (c *Client) State() ConnectionState { return c.c.state() }

// States gives the state now and after each change, until the client is closed or ctx ends.
func (c *Client) States(ctx context.Context) iter.Seq[ConnectionState] { return c.c.states(ctx) }

// String names the gateway, and never the key.
func (c *Client) String() string { return fmt.Sprintf("client of %s, %s", c.c.endpoint, c.State()) }

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// SessionOption changes the session that is opened.
type SessionOption func(*pb.OpenSessionRequest)

// WithSessionName names the session in the gateway's logs and dashboard.
func WithSessionName(name string) SessionOption {
	return func(r *pb.OpenSessionRequest) { r.ClientSessionName = name }
}

// WithBackend asks for a backend: simulator, com or replay; empty for the gateway's default.
func WithBackend(name string) SessionOption {
	return func(r *pb.OpenSessionRequest) { r.RequestedBackend = name }
}

// WithCommandTimeout limits each command in the gateway.
func WithCommandTimeout(limit time.Duration) SessionOption {
	return func(r *pb.OpenSessionRequest) { r.CommandTimeout = durationpb.New(limit) }
}

// WithBackendOptions passes options to the backend, where the gateway allows them.
func WithBackendOptions(given map[string]string) SessionOption {
	return func(r *pb.OpenSessionRequest) { r.BackendOptions = given }
}

// WithBackpressure says what the gateway does when this session's events are not taken fast enough.
func WithBackpressure(policy pb.BackpressurePolicy) SessionOption {
	return func(r *pb.OpenSessionRequest) { r.BackpressurePolicy = policy }
}

// WithKeepWhenDisconnected keeps the session while no connection of its client is there, for another process that
// attaches to it.
func WithKeepWhenDisconnected() SessionOption {
	return func(r *pb.OpenSessionRequest) { r.KeepWhenDisconnected = true }
}

// WithSessionCorrelationID sets the correlation id of the opening.
func WithSessionCorrelationID(id string) SessionOption {
	return func(r *pb.OpenSessionRequest) { r.ClientCorrelationId = id }
}

// OpenSession opens a session, that is a worker process of one's own. Close it.
//
// The error is one of ErrProtocol when gateway and client speak different versions of the contract; the session is
// closed again then.
func (c *Client) OpenSession(ctx context.Context, options ...SessionOption) (*Session, error) {
	request := &pb.OpenSessionRequest{}
	for _, option := range options {
		option(request)
	}
	reply, err := c.OpenSessionRaw(ctx, request)
	if err != nil {
		return nil, err
	}
	if err := checkVersions(reply); err != nil {
		// The gateway has started a worker for us; without a Session nobody else would end it.
		if _, closing := c.CloseSessionRaw(ctx, &pb.CloseSessionRequest{SessionId: reply.GetSessionId()}); closing != nil {
			return nil, errors.Join(err, fmt.Errorf("closing the session failed too: %w", closing))
		}
		return nil, err
	}
	session := newSession(c.c, reply)
	session.policy = request.GetBackpressurePolicy()
	return session, nil
}

// AttachSession is a session that is open already, for example from another process of the same key. Nothing is sent.
// Capabilities are those of the reply that opened it, where they are known.
func (c *Client) AttachSession(id string, capabilities ...string) *Session {
	return newSession(c.c, &pb.OpenSessionReply{SessionId: id, Capabilities: capabilities})
}

const serviceName = "/mxaccess_gateway.v1.MxAccessGateway/"

// OpenSessionRaw is OpenSession with the generated messages; it checks no version.
func (c *Client) OpenSessionRaw(ctx context.Context, request *pb.OpenSessionRequest) (*pb.OpenSessionReply, error) {
	if request.GetClientCorrelationId() == "" {
		request = proto.CloneOf(request)
		request.ClientCorrelationId = NewCorrelationID()
	}
	reply := &pb.OpenSessionReply{}
	return checkedCall(ctx, c.c, "OpenSession", request.GetClientCorrelationId(), false, 0, request, reply)
}

// CloseSessionRaw is CloseSession with the generated messages.
func (c *Client) CloseSessionRaw(ctx context.Context, request *pb.CloseSessionRequest) (*pb.CloseSessionReply, error) {
	// The gateway answers a second close with the last known state, so it may be repeated.
	return checkedCall(ctx, c.c, "CloseSession", request.GetClientCorrelationId(), true, 0, request, &pb.CloseSessionReply{})
}

// Invoke runs a command and checks the reply in full.
func (c *Client) Invoke(ctx context.Context, request *pb.MxCommandRequest) (*pb.MxCommandReply, error) {
	reply, err := c.InvokeRaw(ctx, request)
	if err != nil {
		return nil, err
	}
	return reply, checkMxAccess(reply, methodName(request.GetCommand()))
}

// InvokeRaw runs a command; a failure of MXAccess stays in the reply.
func (c *Client) InvokeRaw(ctx context.Context, request *pb.MxCommandRequest) (*pb.MxCommandReply, error) {
	return c.c.invoke(ctx, request, 0)
}

func (c *connection) invoke(ctx context.Context, request *pb.MxCommandRequest, timeout time.Duration) (*pb.MxCommandReply, error) {
	name := arm(request.GetCommand())
	reply := &pb.MxCommandReply{}
	what := call{
		rpcCall: rpcCall{what: methodName(request.GetCommand()), correlationID: request.GetClientCorrelationId()},
		method:  serviceName + "Invoke", timeout: timeout, idempotent: repeatableCommands[name],
	}
	if err := c.unary(ctx, what, request, reply); err != nil {
		return nil, err
	}
	return reply, checkProtocol(reply, what.what, what.correlationID)
}

// checkedCall is a unary call of the gateway's service whose reply has a protocol status.
func checkedCall[R hasProtocolStatus](
	ctx context.Context, c *connection, rpc, correlationID string, idempotent bool, timeout time.Duration, request proto.Message, reply R,
) (R, error) {
	var none R
	what := call{rpcCall: rpcCall{what: rpc, correlationID: correlationID}, method: serviceName + rpc, idempotent: idempotent, timeout: timeout}
	if err := c.unary(ctx, what, request, reply); err != nil {
		return none, err
	}
	if err := checkProtocol(reply, rpc, correlationID); err != nil {
		return none, err
	}
	return reply, nil
}

// ListSessions lists the sessions of this key that are not closed, the oldest first; those of every key for an admin.
func (c *Client) ListSessions(ctx context.Context, ownOnly bool) (*pb.ListSessionsReply, error) {
	reply := &pb.ListSessionsReply{}
	what := call{rpcCall: rpcCall{what: "ListSessions"}, method: serviceName + "ListSessions", idempotent: true}
	return reply, c.c.unary(ctx, what, &pb.ListSessionsRequest{OwnOnly: ownOnly}, reply)
}
