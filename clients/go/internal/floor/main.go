// Command floor is the floor of Go: the generated stub and nothing else. floor ENDPOINT CA SECONDS SIZE WARMUP reads, floor
// events ENDPOINT COUNT takes raw batches without TLS. What it sends is what the client sends: the deadline and the
// correlation id of each call, keepalive, the limit of a message.
package main

import (
	"context"
	"encoding/json"
	"fmt"
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
		events(os.Args[2], must(strconv.Atoi(os.Args[3])))
	} else {
		reads()
	}
}

func dial(endpoint string, creds credentials.TransportCredentials) *grpc.ClientConn {
	const most = 16 << 20
	return must(grpc.NewClient(endpoint, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(most), grpc.MaxCallSendMsgSize(most)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second})))
}

func events(endpoint string, count int) {
	channel := dial(endpoint, insecure.NewCredentials())
	defer channel.Close()
	stub := pb.NewMxAccessGatewayClient(channel)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	session := must(stub.OpenSession(ctx, &pb.OpenSessionRequest{})).GetSessionId()
	stream := must(stub.StreamEventBatches(ctx, &pb.StreamEventsRequest{SessionId: session}))
	taken := 0
	for taken < count {
		taken += len(must(stream.Recv()).GetEvents())
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"events": taken})
}

func reads() {
	creds := must(credentials.NewClientTLSFromFile(os.Args[2], ""))
	channel := dial(os.Args[1], creds)
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
	tags := make([]string, must(strconv.Atoi(os.Args[4])))
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
	// How many milliseconds each call took that fits into so many seconds; one at least.
	timed := func(seconds string) []float64 {
		length, began, took := must(strconv.ParseFloat(seconds, 64)), time.Now(), []float64(nil)
		for len(took) == 0 || time.Since(began).Seconds() < length {
			at := time.Now()
			invoke(read)
			took = append(took, float64(time.Since(at).Nanoseconds())/1e6)
		}
		return took
	}
	timed(os.Args[5])
	began := time.Now()
	took := timed(os.Args[3])
	rate := float64(len(took)) / time.Since(began).Seconds()
	slices.Sort(took)
	must(stub.CloseSession(ctx, &pb.CloseSessionRequest{SessionId: session}))
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"successfulCalls": len(took), "callsPerSecond": rate, "p50Ms": took[len(took)/2],
	})
}
