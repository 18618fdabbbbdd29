// Command floor is the floor of Go: the generated stub and nothing else. What it sends is what the client sends: the
// deadline and the correlation id of each call, keepalive, the limit of a message.
//
// floor reads ENDPOINT CA SIZE and floor events ENDPOINT say {} when they are ready; then each line {"count": n} asks for
// so many reads, or for a stream of so many events in batches without TLS, and is answered.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// limit is how long a call of the client may take by default.
const limit = 30 * time.Second

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	if os.Args[1] == "events" {
		events(os.Args[2])
	} else {
		reads(os.Args[2], os.Args[3], must(strconv.Atoi(os.Args[4])))
	}
}

func dial(endpoint string, creds credentials.TransportCredentials) *grpc.ClientConn {
	const most = 16 << 20
	return must(grpc.NewClient(endpoint, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(most), grpc.MaxCallSendMsgSize(most)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second})))
}

// asked answers each line of stdin by what some makes of its count.
func asked(some func(count int) map[string]any) {
	out, in := json.NewEncoder(os.Stdout), json.NewDecoder(os.Stdin)
	_ = out.Encode(map[string]any{})
	for {
		var line struct {
			Count int `json:"count"`
		}
		if err := in.Decode(&line); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		_ = out.Encode(some(line.Count))
	}
}

func events(endpoint string) {
	channel := dial(endpoint, insecure.NewCredentials())
	defer channel.Close()
	stub := pb.NewMxAccessGatewayClient(channel)
	asked(func(count int) map[string]any {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		session := must(stub.OpenSession(ctx, &pb.OpenSessionRequest{})).GetSessionId()
		stream := must(stub.StreamEventBatches(ctx, &pb.StreamEventsRequest{SessionId: session}))
		taken := 0
		for taken < count {
			taken += len(must(stream.Recv()).GetEvents())
		}
		return map[string]any{"taken": taken}
	})
}

func reads(endpoint, caFile string, size int) {
	channel := dial(endpoint, must(credentials.NewClientTLSFromFile(caFile, "")))
	defer channel.Close()
	stub := pb.NewMxAccessGatewayClient(channel)
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("MXGATEWAY_API_KEY"))
	session := must(stub.OpenSession(ctx, &pb.OpenSessionRequest{})).GetSessionId()
	count := 0
	invoke := func(command *pb.MxCommand) *pb.MxCommandReply {
		count++
		id := fmt.Sprintf("%016x-%x", 0, count)
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return must(stub.Invoke(limited, &pb.MxCommandRequest{SessionId: session, ClientCorrelationId: id, Command: command}))
	}
	handle := invoke(&pb.MxCommand{
		Kind: pb.MxCommandKind_MX_COMMAND_KIND_REGISTER, Payload: &pb.MxCommand_Register{Register: &pb.RegisterCommand{ClientName: "floor"}},
	}).GetRegister().GetServerHandle()
	tags := make([]string, size)
	for index := range tags {
		tags[index] = fmt.Sprintf("TestMachine_%03d.TestChangingInt", index+1)
	}
	invoke(&pb.MxCommand{
		Kind:    pb.MxCommandKind_MX_COMMAND_KIND_SUBSCRIBE_BULK,
		Payload: &pb.MxCommand_SubscribeBulk{SubscribeBulk: &pb.SubscribeBulkCommand{ServerHandle: handle, TagAddresses: tags}},
	})
	read := &pb.MxCommand{
		Kind:    pb.MxCommandKind_MX_COMMAND_KIND_READ_BULK,
		Payload: &pb.MxCommand_ReadBulk{ReadBulk: &pb.ReadBulkCommand{ServerHandle: handle, TagAddresses: tags}},
	}
	asked(func(count int) map[string]any {
		took := make([]float64, count)
		for index := range took {
			at := time.Now()
			invoke(read)
			took[index] = float64(time.Since(at).Nanoseconds()) / 1e6
		}
		slices.Sort(took)
		return map[string]any{"p50_ms": took[count/2]}
	})
	must(stub.CloseSession(ctx, &pb.CloseSessionRequest{SessionId: session}))
}
