// Package fakegateway is a gateway for unit tests: real gRPC on a free port, with plain answers.
package fakegateway

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"mxaccess-gateway.example/clients/go/galaxypb"
	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// Gateway records what it was asked, and holds commands while Hold is set.
type Gateway struct {
	pb.UnimplementedMxAccessGatewayServer
	galaxypb.UnimplementedGalaxyRepositoryServer

	Endpoint     string
	Capabilities []string

	mu       sync.Mutex
	commands []*pb.MxCommand
	streams  int
	closed   int
	messages int
	hold     bool

	alarms     chan struct{}
	waits      bool
	subscribed chan struct{}
	once       sync.Once
}

// Start serves until the test ends.
func Start(t testing.TB, capabilities ...string) *Gateway {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gateway := &Gateway{Endpoint: listener.Addr().String(), Capabilities: capabilities, subscribed: make(chan struct{}), alarms: make(chan struct{}, 1)}
	server := grpc.NewServer()
	pb.RegisterMxAccessGatewayServer(server, gateway)
	galaxypb.RegisterGalaxyRepositoryServer(server, gateway)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return gateway
}

// Hold lets commands wait until their callers give up.
func (g *Gateway) Hold(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = on
}

// AwaitSubscribe holds the event of each stream back until items were subscribed.
func (g *Gateway) AwaitSubscribe() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waits = true
}

// Commands are those that came, oldest first.
func (g *Gateway) Commands() []*pb.MxCommand {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*pb.MxCommand(nil), g.commands...)
}

// Streams are those that are open now.
func (g *Gateway) Streams() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.streams
}

// Closed counts closed sessions.
func (g *Gateway) Closed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// Messages counts what came on command streams.
func (g *Gateway) Messages() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.messages
}

func ok() *pb.ProtocolStatus {
	return &pb.ProtocolStatus{Code: pb.ProtocolStatusCode_PROTOCOL_STATUS_CODE_OK}
}

// OpenSession opens.
func (g *Gateway) OpenSession(context.Context, *pb.OpenSessionRequest) (*pb.OpenSessionReply, error) {
	return &pb.OpenSessionReply{
		SessionId: "session-" + strings.Repeat("0", 32), GatewayProtocolVersion: 3, Capabilities: g.Capabilities, ProtocolStatus: ok(),
	}, nil
}

// CloseSession closes.
func (g *Gateway) CloseSession(_ context.Context, request *pb.CloseSessionRequest) (*pb.CloseSessionReply, error) {
	g.mu.Lock()
	g.closed++
	g.mu.Unlock()
	return &pb.CloseSessionReply{SessionId: request.GetSessionId(), FinalState: pb.SessionState_SESSION_STATE_CLOSED, ProtocolStatus: ok()}, nil
}

// Invoke answers a command.
func (g *Gateway) Invoke(ctx context.Context, request *pb.MxCommandRequest) (*pb.MxCommandReply, error) {
	g.mu.Lock()
	g.commands = append(g.commands, request.GetCommand())
	hold := g.hold
	g.mu.Unlock()
	if hold {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	reply := g.answer(request.GetCommand())
	reply.CorrelationId = request.GetClientCorrelationId()
	return reply, nil
}

// InvokeStream answers the commands of a stream; held ones get no answer.
func (g *Gateway) InvokeStream(stream grpc.BidiStreamingServer[pb.MxCommandBatch, pb.MxCommandReplyBatch]) error {
	g.opened(1)
	defer g.opened(-1)
	for {
		batch, err := stream.Recv()
		if err != nil {
			return nil
		}
		g.mu.Lock()
		g.messages++
		hold := g.hold
		g.mu.Unlock()
		if hold {
			continue
		}
		replies := &pb.MxCommandReplyBatch{}
		for _, each := range batch.GetCommands() {
			reply := g.answer(each.GetCommand())
			reply.CorrelationId = each.GetCorrelationId()
			replies.Replies = append(replies.Replies, reply)
		}
		if err := stream.Send(replies); err != nil {
			return err
		}
	}
}

// StreamEvents sends one event a caller and then stays quiet.
func (g *Gateway) StreamEvents(_ *pb.StreamEventsRequest, stream grpc.ServerStreamingServer[pb.MxEvent]) error {
	g.opened(1)
	defer g.opened(-1)
	_ = stream.SendHeader(metadata.MD{})
	g.mu.Lock()
	waits := g.waits
	g.mu.Unlock()
	if waits {
		select {
		case <-g.subscribed:
		case <-stream.Context().Done():
			return nil
		}
	}
	if err := stream.Send(&pb.MxEvent{Family: pb.MxEventFamily_MX_EVENT_FAMILY_ON_DATA_CHANGE, WorkerSequence: 1<<63 + 1, ServerHandle: 1, ItemHandle: 1}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// SendAlarm lets a stream of alarms send one more message.
func (g *Gateway) SendAlarm() { g.alarms <- struct{}{} }

// StreamAlarms sends one message, and then one for each SendAlarm.
func (g *Gateway) StreamAlarms(_ *pb.StreamAlarmsRequest, stream grpc.ServerStreamingServer[pb.AlarmFeedMessage]) error {
	for {
		if err := stream.Send(&pb.AlarmFeedMessage{}); err != nil {
			return err
		}
		select {
		case <-g.alarms:
		case <-stream.Context().Done():
			return nil
		}
	}
}

// WatchDeployEvents refuses at once.
func (g *Gateway) WatchDeployEvents(*galaxypb.WatchDeployEventsRequest, grpc.ServerStreamingServer[galaxypb.DeployEvent]) error {
	return status.Error(codes.ResourceExhausted, "too many watches")
}

// TestConnection is well.
func (g *Gateway) TestConnection(context.Context, *galaxypb.TestConnectionRequest) (*galaxypb.TestConnectionReply, error) {
	return &galaxypb.TestConnectionReply{Ok: true}, nil
}

func (g *Gateway) opened(by int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.streams += by
}

func (g *Gateway) answer(command *pb.MxCommand) *pb.MxCommandReply {
	zero := int32(0)
	reply := &pb.MxCommandReply{Kind: command.GetKind(), ProtocolStatus: ok(), Hresult: &zero}
	subscribed := func(count int) *pb.BulkSubscribeReply {
		results := &pb.BulkSubscribeReply{}
		for index := range count {
			results.Results = append(results.Results, &pb.SubscribeResult{ItemHandle: int32(index + 1), WasSuccessful: true})
		}
		return results
	}
	written := func(count int) *pb.BulkWriteReply {
		results := &pb.BulkWriteReply{}
		for index := range count {
			results.Results = append(results.Results, &pb.BulkWriteResult{ItemHandle: int32(index + 1), WasSuccessful: true})
		}
		return results
	}
	switch payload := command.GetPayload().(type) {
	case *pb.MxCommand_Register:
		reply.Payload = &pb.MxCommandReply_Register{Register: &pb.RegisterReply{ServerHandle: 1}}
	case *pb.MxCommand_AddItem:
		reply.Payload = &pb.MxCommandReply_AddItem{AddItem: &pb.AddItemReply{ItemHandle: 1}}
	case *pb.MxCommand_Ping:
		reply.DiagnosticMessage = payload.Ping.GetMessage()
	case *pb.MxCommand_AddItemBulk:
		reply.Payload = &pb.MxCommandReply_AddItemBulk{AddItemBulk: subscribed(len(payload.AddItemBulk.GetTagAddresses()))}
	case *pb.MxCommand_SubscribeBulk:
		g.once.Do(func() { close(g.subscribed) })
		reply.Payload = &pb.MxCommandReply_SubscribeBulk{SubscribeBulk: subscribed(len(payload.SubscribeBulk.GetTagAddresses()))}
	case *pb.MxCommand_AdviseItemBulk:
		reply.Payload = &pb.MxCommandReply_AdviseItemBulk{AdviseItemBulk: subscribed(len(payload.AdviseItemBulk.GetItemHandles()))}
	case *pb.MxCommand_UnAdviseItemBulk:
		reply.Payload = &pb.MxCommandReply_UnAdviseItemBulk{UnAdviseItemBulk: subscribed(len(payload.UnAdviseItemBulk.GetItemHandles()))}
	case *pb.MxCommand_RemoveItemBulk:
		reply.Payload = &pb.MxCommandReply_RemoveItemBulk{RemoveItemBulk: subscribed(len(payload.RemoveItemBulk.GetItemHandles()))}
	case *pb.MxCommand_UnsubscribeBulk:
		reply.Payload = &pb.MxCommandReply_UnsubscribeBulk{UnsubscribeBulk: subscribed(len(payload.UnsubscribeBulk.GetItemHandles()))}
	case *pb.MxCommand_WriteBulk:
		reply.Payload = &pb.MxCommandReply_WriteBulk{WriteBulk: written(len(payload.WriteBulk.GetEntries()))}
	case *pb.MxCommand_Write2Bulk:
		reply.Payload = &pb.MxCommandReply_Write2Bulk{Write2Bulk: written(len(payload.Write2Bulk.GetEntries()))}
	case *pb.MxCommand_WriteSecuredBulk:
		reply.Payload = &pb.MxCommandReply_WriteSecuredBulk{WriteSecuredBulk: written(len(payload.WriteSecuredBulk.GetEntries()))}
	case *pb.MxCommand_WriteSecured2Bulk:
		reply.Payload = &pb.MxCommandReply_WriteSecured2Bulk{WriteSecured2Bulk: written(len(payload.WriteSecured2Bulk.GetEntries()))}
	case *pb.MxCommand_ReadBulk:
		results := &pb.BulkReadReply{}
		for _, tag := range payload.ReadBulk.GetTagAddresses() {
			results.Results = append(results.Results, &pb.BulkReadResult{TagAddress: tag, WasSuccessful: true, WasCached: true, Quality: 192})
		}
		reply.Payload = &pb.MxCommandReply_ReadBulk{ReadBulk: results}
	}
	return reply
}
