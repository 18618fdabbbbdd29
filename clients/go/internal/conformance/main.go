// Command conformance is the subject of the Go client: it does what lines of JSON say, and answers with lines of JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mxgateway "mxaccess-gateway.example/clients/go"
)

type step struct {
	ID   any             `json:"id"`
	Op   string          `json:"op"`
	On   string          `json:"on"`
	As   string          `json:"as"`
	Args json.RawMessage `json:"args"`
}

type object = map[string]any

var errUnsupported = errors.New("unsupported")

// subject runs each operation in a goroutine of its own, so that answers come as they are ready.
type subject struct {
	mu      sync.Mutex
	objects map[string]any
	order   []any
	running map[any]context.CancelFunc
	output  *bufio.Writer
	writing sync.Mutex
}

func main() {
	s := &subject{objects: map[string]any{}, running: map[any]context.CancelFunc{}, output: bufio.NewWriter(os.Stdout)}
	s.say(object{"language": "go", "version": mxgateway.Version, "features": []string{"subscriptions"}})
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			s.reset()
			return
		}
		var next step
		if err := json.Unmarshal(line, &next); err != nil {
			fmt.Fprintln(os.Stderr, "no step:", err)
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.mu.Lock()
		s.running[next.ID] = cancel
		s.mu.Unlock()
		go s.do(ctx, next)
	}
}

func (s *subject) do(ctx context.Context, next step) {
	answer, err := s.operation(ctx, next)
	s.mu.Lock()
	cancel := s.running[next.ID]
	delete(s.running, next.ID)
	s.mu.Unlock()
	switch {
	case errors.Is(err, errUnsupported):
		s.say(object{"id": next.ID, "unsupported": true})
	case err != nil:
		s.say(object{"id": next.ID, "error": errorOf(err)})
	default:
		if answer == nil {
			answer = object{}
		}
		s.say(object{"id": next.ID, "ok": answer})
	}
	if cancel != nil {
		cancel()
	}
}

func (s *subject) say(document object) {
	line, err := json.Marshal(document)
	if err != nil {
		line, _ = json.Marshal(object{"id": document["id"], "error": object{"kind": "subject", "message": err.Error()}})
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	_, _ = s.output.Write(append(line, '\n'))
	_ = s.output.Flush()
}

func (s *subject) operation(ctx context.Context, next step) (any, error) {
	args := arguments{}
	if len(next.Args) > 0 {
		if err := json.Unmarshal(next.Args, &args); err != nil {
			return nil, err
		}
	}
	switch next.Op {
	case "cancel":
		s.mu.Lock()
		defer s.mu.Unlock()
		if cancel := s.running[args.ID]; cancel != nil {
			cancel()
		}
		return nil, nil
	case "reset":
		s.reset()
		return nil, nil
	case "drop":
		s.mu.Lock()
		delete(s.objects, next.On)
		s.mu.Unlock()
		return nil, nil
	}
	if work, ok := pureOperations[next.Op]; ok {
		return work(args)
	}
	s.mu.Lock()
	it := s.objects[next.On]
	s.mu.Unlock()
	made, answer, err := act(ctx, it, next.Op, args)
	if made != nil {
		s.mu.Lock()
		s.objects[next.As] = made
		s.order = append(s.order, made)
		s.mu.Unlock()
	}
	return answer, err
}

// reset closes whatever the case has made, the youngest first.
func (s *subject) reset() {
	s.mu.Lock()
	order := s.order
	s.order, s.objects = nil, map[string]any{}
	for id, cancel := range s.running {
		if id != "reset" {
			cancel()
		}
	}
	s.mu.Unlock()
	for index := len(order) - 1; index >= 0; index-- {
		if client, ok := order[index].(interface{ Close() error }); ok {
			if _, isSubscription := client.(*mxgateway.Subscription); isSubscription {
				// Its session may be one that the case holds.
				go func() { _ = client.Close() }()
				continue
			}
			_ = client.Close()
		}
	}
}

// errorOf is an error in the words of the suite.
func errorOf(err error) object {
	var failure *mxgateway.Error
	var argument *mxgateway.ArgumentError
	switch {
	case errors.As(err, &failure):
	case errors.As(err, &argument):
		return object{"kind": "argument", "message": err.Error()}
	case errors.Is(err, context.Canceled):
		return object{"cancelled": true}
	default:
		return object{"kind": "other", "message": err.Error()}
	}
	found := object{
		"kind": kindName(failure.Kind), "reason": failure.Reason, "retryable": failure.Retryable, "message": err.Error(),
		"correlation_id": failure.CorrelationID,
	}
	if failure.Code != codes.OK {
		found["code"] = mxgateway.CodeName(failure.Code)
	}
	if failure.RetryAfter > 0 {
		found["retry_after"] = failure.RetryAfter.Seconds()
	}
	if failure.HResult != nil {
		found["hresult"] = *failure.HResult
	}
	statuses := []any{}
	for _, each := range failure.Statuses {
		statuses = append(statuses, asJSON(each))
	}
	found["statuses"] = statuses
	return found
}

func kindName(kind mxgateway.Kind) string {
	if kind == mxgateway.KindNotFound {
		return "notfound"
	}
	return kind.String()
}

var toJSON = protojson.MarshalOptions{UseProtoNames: true}

func asJSON(message proto.Message) any {
	text, err := toJSON.Marshal(message)
	if err != nil {
		return object{"no JSON": err.Error()}
	}
	return json.RawMessage(text)
}

func listOf[M proto.Message](messages []M) []any {
	made := make([]any, len(messages))
	for index, each := range messages {
		made[index] = asJSON(each)
	}
	return made
}

func parsed[M proto.Message](document json.RawMessage, into M) (M, error) {
	if len(document) == 0 {
		return into, nil
	}
	return into, protojson.Unmarshal(document, into)
}

func seconds(number *float64) time.Duration { return time.Duration(*number * float64(time.Second)) }
