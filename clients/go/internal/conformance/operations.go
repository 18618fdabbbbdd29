package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	mxgateway "mxaccess-gateway.example/clients/go"
	"mxaccess-gateway.example/clients/go/galaxypb"
	pb "mxaccess-gateway.example/clients/go/gatewaypb"
	"mxaccess-gateway.example/clients/go/internal/clitext"
)

// act does an operation to an object; what it makes comes first.
func act(ctx context.Context, it any, op string, a arguments) (any, any, error) {
	switch op {
	case "connect":
		return made(mxgateway.Connect(ctx, a.Endpoint, a.options()...))
	case "connect_lazy":
		return made(mxgateway.New(a.Endpoint, a.options()...))
	case "connect_galaxy":
		return made(mxgateway.ConnectGalaxy(ctx, a.Endpoint, a.options()...))
	}
	switch object_ := it.(type) {
	case *mxgateway.Client:
		return onClient(ctx, object_, op, a)
	case *mxgateway.Session:
		return onSession(ctx, object_, op, a)
	case *mxgateway.EventStream:
		answer, err := onEvents(ctx, object_, op, a)
		return nil, answer, err
	case *mxgateway.Subscription:
		answer, err := onSubscription(ctx, object_, op, a)
		return nil, answer, err
	case *mxgateway.Galaxy:
		return onGalaxy(ctx, object_, op, a)
	case []*mxgateway.Node:
		answer, err := expand(ctx, object_, a)
		return nil, answer, err
	case reader:
		answer, err := onStream(ctx, object_, op, a)
		return nil, answer, err
	}
	return nil, nil, errUnsupported
}

// made keeps an object only when there is one.
func made[T any](object_ *T, err error) (any, any, error) {
	if err != nil {
		return nil, nil, err
	}
	return object_, nil, nil
}

func onClient(ctx context.Context, c *mxgateway.Client, op string, a arguments) (any, any, error) {
	switch op {
	case "close":
		return nil, nil, c.Close()
	case "connection_state":
		return nil, object{"state": string(c.State())}, nil
	case "open_session":
		session, err := c.OpenSession(ctx, a.sessionOptions()...)
		if err != nil {
			return nil, nil, err
		}
		return session, object{"session_id": session.ID(), "capabilities": slices.Sorted(slices.Values(session.Capabilities()))}, nil
	case "attach_session":
		return c.AttachSession(a.SessionID, a.Capabilities...), nil, nil
	case "open_session_raw":
		request, err := parsed(a.Request, &pb.OpenSessionRequest{})
		return answered(func() (proto.Message, error) { return c.OpenSessionRaw(ctx, request) }, err)
	case "close_session_raw":
		request, err := parsed(a.Request, &pb.CloseSessionRequest{})
		return answered(func() (proto.Message, error) { return c.CloseSessionRaw(ctx, request) }, err)
	case "invoke":
		request, err := parsed(a.Request, &pb.MxCommandRequest{})
		return answered(func() (proto.Message, error) { return c.Invoke(ctx, request) }, err)
	case "invoke_raw":
		request, err := parsed(a.Request, &pb.MxCommandRequest{})
		return answered(func() (proto.Message, error) { return c.InvokeRaw(ctx, request) }, err)
	case "acknowledge_alarm":
		request, err := parsed(a.Request, &pb.AcknowledgeAlarmRequest{})
		return answered(func() (proto.Message, error) { return c.AcknowledgeAlarm(ctx, request) }, err)
	case "acknowledge_alarms":
		request, err := parsed(a.Request, &pb.AcknowledgeAlarmsRequest{})
		return answered(func() (proto.Message, error) { return c.AcknowledgeAlarms(ctx, request) }, err)
	case "query_active_alarms":
		request, err := parsed(a.Request, &pb.QueryActiveAlarmsRequest{})
		if err != nil {
			return nil, nil, err
		}
		stream, err := c.QueryActiveAlarms(context.Background(), request)
		return streamed(stream, err)
	case "stream_alarms":
		request, err := parsed(a.Request, &pb.StreamAlarmsRequest{})
		if err != nil {
			return nil, nil, err
		}
		stream, err := c.StreamAlarms(context.Background(), request)
		return streamed(stream, err)
	case "subscribe":
		options, err := a.subscribeOptions()
		if err != nil {
			return nil, nil, err
		}
		return made(c.Subscribe(ctx, a.Tags, options...))
	}
	return nil, nil, errUnsupported
}

func (a arguments) sessionOptions() []mxgateway.SessionOption {
	options := []mxgateway.SessionOption{
		mxgateway.WithSessionName(a.ClientSessionName), mxgateway.WithBackend(a.RequestedBackend), mxgateway.WithBackendOptions(a.BackendOptions),
		mxgateway.WithBackpressure(pb.BackpressurePolicy(pb.BackpressurePolicy_value[a.BackpressurePolicy])),
		mxgateway.WithSessionCorrelationID(a.CorrelationID),
	}
	if a.CommandTimeout != nil {
		options = append(options, mxgateway.WithCommandTimeout(seconds(a.CommandTimeout)))
	}
	return options
}

func (a arguments) subscribeOptions() ([]mxgateway.SubscribeOption, error) {
	var options []mxgateway.SubscribeOption
	if a.QueueSize != nil {
		options = append(options, mxgateway.QueueSize(*a.QueueSize))
	}
	if a.Overflow != "" {
		policies := map[string]mxgateway.Overflow{
			"drop_oldest": mxgateway.DropOldest, "drop_newest": mxgateway.DropNewest, "warn": mxgateway.Warn, "disconnect": mxgateway.Disconnect,
		}
		policy, known := policies[a.Overflow]
		if !known {
			return nil, fmt.Errorf("no overflow policy %s", a.Overflow)
		}
		options = append(options, mxgateway.OnOverflow(policy))
	}
	if a.Supervisory {
		options = append(options, mxgateway.Supervisory())
	}
	if a.Reconnect != nil && !*a.Reconnect {
		options = append(options, mxgateway.WithoutReconnect())
	}
	if a.FirstDelay != nil {
		options = append(options, mxgateway.ReconnectDelays(seconds(a.FirstDelay), 5*time.Second))
	}
	return options, nil
}

func answered(call func() (proto.Message, error), err error) (any, any, error) {
	if err != nil {
		return nil, nil, err
	}
	reply, err := call()
	if err != nil {
		return nil, nil, err
	}
	return nil, asJSON(reply), nil
}

// ---------------------------------------------------------------------------------------------------------- streams

// reader is a stream of any message.
type reader interface {
	next(context.Context) (proto.Message, error)
	Close() error
}

type anyStream[M proto.Message] struct{ *mxgateway.Stream[M] }

func (s anyStream[M]) next(ctx context.Context) (proto.Message, error) { return s.Next(ctx) }

func streamed[M proto.Message](stream *mxgateway.Stream[M], err error) (any, any, error) {
	if err != nil {
		return nil, nil, err
	}
	return anyStream[M]{stream}, nil, nil
}

// objectStream is the hierarchy as a stream.
type objectStream struct {
	pull func() (*galaxypb.GalaxyObject, error, bool)
	stop func()
}

func (s objectStream) next(context.Context) (proto.Message, error) {
	object_, err, ok := s.pull()
	if !ok {
		return nil, io.EOF
	}
	return object_, err
}

func (s objectStream) Close() error { s.stop(); return nil }

func onStream(ctx context.Context, stream reader, op string, a arguments) (any, error) {
	switch op {
	case "close":
		return nil, stream.Close()
	case "next":
		return taken(a, func() (proto.Message, error) { return stream.next(ctx) })
	}
	return nil, errUnsupported
}

func taken(a arguments, next func() (proto.Message, error)) (object, error) {
	items, count, end := []any{}, 0, false
	for range max(a.Count, 1) {
		message, err := next()
		if errors.Is(err, io.EOF) {
			end = true
			break
		}
		if err != nil {
			return nil, err
		}
		count++
		if !a.Discard {
			items = append(items, asJSON(message))
		}
	}
	return object{"items": items, "taken": count, "end": end}, nil
}

func onEvents(ctx context.Context, events *mxgateway.EventStream, op string, a arguments) (any, error) {
	switch op {
	case "close":
		return nil, events.Close()
	case "next":
		answer, err := taken(a, func() (proto.Message, error) { return events.Next(ctx) })
		if err != nil {
			return nil, err
		}
		answer["last_worker_sequence"] = strconv.FormatUint(events.LastSequence(), 10)
		answer["dropped_events"] = strconv.FormatUint(events.DroppedEvents(), 10)
		return answer, nil
	case "next_batch":
		batch, err := events.NextBatch(ctx)
		if errors.Is(err, io.EOF) {
			return object{"end": true}, nil
		}
		return object{"size": len(batch.Events), "last_worker_sequence": strconv.FormatUint(events.LastSequence(), 10)}, err
	case "take_all":
		count := 0
		for count < a.Count {
			batch, err := events.NextBatch(ctx)
			if err != nil {
				return nil, err
			}
			count += len(batch.Events)
		}
		return object{"taken": count}, nil
	}
	return nil, errUnsupported
}

func onSubscription(ctx context.Context, x *mxgateway.Subscription, op string, a arguments) (any, error) {
	switch op {
	case "close":
		return nil, x.Close()
	case "add":
		return nil, x.Add(ctx, a.Tags...)
	case "remove":
		return nil, x.Remove(ctx, a.Tags...)
	case "wait_state":
		for state := range x.States(ctx) {
			if string(state) == a.State {
				return nil, nil
			}
		}
		return object{"state": string(x.State())}, ctx.Err()
	case "stats":
		stats := x.Stats()
		return object{
			"state": string(x.State()), "tags": stats.Tags, "failures": stats.Failures, "gaps": stats.Gaps, "lost": stats.Lost,
			"dropped": stats.Dropped, "interruptions": stats.Interruptions, "new_sessions": stats.NewSessions, "waiting": stats.Waiting,
		}, nil
	case "next":
		changes, end := []any{}, false
		for range max(a.Count, 1) {
			change, err := x.Next(ctx)
			if errors.Is(err, io.EOF) {
				end = true
				break
			}
			if err != nil {
				return nil, err
			}
			var value *pb.MxValue
			if valued, ok := change.Raw.(interface{ GetValue() *pb.MxValue }); ok {
				value = valued.GetValue()
			}
			changes = append(changes, object{
				"tag": change.Tag, "value": tagged(change.Value, value), "quality": change.Quality,
				"worker_sequence": strconv.FormatUint(change.WorkerSequence, 10), "replayed": change.Replayed,
				"recovered": change.Recovered, "lost_before": change.LostBefore,
			})
		}
		return object{"changes": changes, "end": end}, nil
	case "take_all":
		for range a.Count {
			if _, err := x.Next(ctx); err != nil {
				return nil, err
			}
		}
		return object{"taken": a.Count}, nil
	}
	return nil, errUnsupported
}

// --------------------------------------------------------------------------------------------------------- sessions

func onSession(ctx context.Context, s *mxgateway.Session, op string, a arguments) (any, any, error) {
	switch op {
	case "stream_events":
		options, err := a.streamOptions()
		if err != nil {
			return nil, nil, err
		}
		return made(s.Events(context.Background(), options...))
	case "subscribe":
		options, err := a.subscribeOptions()
		if err != nil {
			return nil, nil, err
		}
		return made(s.Subscribe(ctx, a.Tags, options...))
	}
	answer, err := command(ctx, s, op, a)
	return nil, answer, err
}

func (a arguments) streamOptions() ([]mxgateway.StreamOption, error) {
	var options []mxgateway.StreamOption
	if a.AfterSequence != "" {
		sequence, err := strconv.ParseUint(a.AfterSequence, 10, 64)
		if err != nil {
			return nil, &mxgateway.ArgumentError{Argument: "after_worker_sequence", Message: "after_worker_sequence: " + err.Error()}
		}
		options = append(options, mxgateway.After(sequence))
	}
	if a.FromBeginning {
		options = append(options, mxgateway.FromBeginning())
	}
	if a.RecoverGaps {
		options = append(options, mxgateway.RecoverGaps())
	}
	if a.BackpressurePolicy != "" {
		options = append(options, mxgateway.StreamBackpressure(pb.BackpressurePolicy(pb.BackpressurePolicy_value[a.BackpressurePolicy])))
	}
	if a.Timeout != nil {
		options = append(options, mxgateway.StreamTimeout(seconds(a.Timeout)))
	}
	return options, nil
}

func handle(name string) func(int32, error) (any, error) {
	return func(found int32, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return object{name: found}, nil
	}
}

func message(found proto.Message, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return asJSON(found), nil
}

func results[M proto.Message](found []M, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return object{"results": listOf(found)}, nil
}

func command(ctx context.Context, s *mxgateway.Session, op string, a arguments) (any, error) {
	call := a.call()
	h, i := a.ServerHandle, a.ItemHandle
	switch op {
	case "close":
		return message(s.Close(ctx))
	case "state":
		state, err := s.State(ctx, call...)
		return object{"state": state.String()}, err
	case "ping":
		text, err := s.Ping(ctx, a.Message, call...)
		return object{"message": text}, err
	case "burst":
		return burst(ctx, s, a)
	case "worker_info":
		return message(s.WorkerInfo(ctx, call...))
	case "drain_events":
		if a.MaxEvents < 0 {
			return nil, &mxgateway.ArgumentError{Argument: "max_events", Message: "max_events is negative"}
		}
		events, err := s.DrainEvents(ctx, uint32(a.MaxEvents), call...)
		return object{"events": listOf(events)}, err
	case "shutdown_worker":
		return nil, s.ShutdownWorker(ctx, seconds(a.GracePeriod), call...)
	case "inject_fault":
		return nil, s.InjectFault(ctx, a.Fault, a.Parameters, call...)
	case "invoke", "invoke_raw":
		wanted, err := parsed(a.Command, &pb.MxCommand{})
		if err != nil {
			return nil, err
		}
		if op == "invoke" {
			return message(s.Invoke(ctx, wanted, call...))
		}
		return message(s.InvokeRaw(ctx, wanted, call...))
	case "register":
		return handle("server_handle")(s.Register(ctx, a.ClientName, call...))
	case "unregister":
		return nil, s.Unregister(ctx, h, call...)
	case "add_item":
		return handle("item_handle")(s.AddItem(ctx, h, a.ItemDefinition, call...))
	case "add_item2":
		return handle("item_handle")(s.AddItem2(ctx, h, a.ItemDefinition, a.ItemContext, call...))
	case "add_buffered_item":
		return handle("item_handle")(s.AddBufferedItem(ctx, h, a.ItemDefinition, a.ItemContext, call...))
	case "remove_item":
		return nil, s.RemoveItem(ctx, h, i, call...)
	case "advise":
		return nil, s.Advise(ctx, h, i, call...)
	case "advise_supervisory":
		return nil, s.AdviseSupervisory(ctx, h, i, call...)
	case "unadvise":
		return nil, s.Unadvise(ctx, h, i, call...)
	case "suspend", "activate":
		work := s.Suspend
		if op == "activate" {
			work = s.Activate
		}
		status, err := work(ctx, h, i, call...)
		if err != nil {
			return nil, err
		}
		return object{"status": asJSON(status)}, nil
	case "set_buffered_update_interval":
		return nil, s.SetBufferedUpdateInterval(ctx, h, a.UpdateInterval, call...)
	case "authenticate_user":
		return handle("user_id")(s.AuthenticateUser(ctx, h, a.VerifyUser, a.VerifyUserPass, call...))
	case "archestra_user_to_id":
		return handle("user_id")(s.ArchestrAUserToID(ctx, h, a.UserIDGUID, call...))
	}
	if strings.HasSuffix(op, "_bulk") {
		return bulk(ctx, s, op, a)
	}
	return write(ctx, s, op, a)
}

// burst sends so many pings or reads, some of them at once, and tells the median of how long one took.
func burst(ctx context.Context, s *mxgateway.Session, a arguments) (any, error) {
	one := func() error {
		if len(a.TagAddresses) > 0 {
			_, err := s.ReadBulk(ctx, a.ServerHandle, a.TagAddresses)
			return err
		}
		_, err := s.Ping(ctx, "burst")
		return err
	}
	var left atomic.Int64
	left.Store(int64(a.Count))
	failures, took := make(chan error, a.AtOnce), make([]time.Duration, a.Count)
	for range a.AtOnce {
		go func() {
			for index := left.Add(-1); index >= 0; index = left.Add(-1) {
				began := time.Now()
				if err := one(); err != nil {
					failures <- err
					return
				}
				took[index] = time.Since(began)
			}
			failures <- nil
		}()
	}
	var failed error
	for range a.AtOnce {
		failed = errors.Join(failed, <-failures)
	}
	slices.Sort(took)
	return object{"p50_ms": float64(took[len(took)/2].Nanoseconds()) / 1e6}, failed
}

func write(ctx context.Context, s *mxgateway.Session, op string, a arguments) (any, error) {
	value, err := native(a.Value)
	if err != nil {
		return nil, err
	}
	var moment any
	if a.Timestamp != "" {
		if moment, err = momentOf(a.Timestamp); err != nil {
			return nil, err
		}
	}
	as := []mxgateway.WriteOption{mxgateway.AsUser(a.UserID), mxgateway.WriteCall(a.call()...)}
	switch op {
	case "write":
		return nil, s.Write(ctx, a.ServerHandle, a.ItemHandle, value, as...)
	case "write2":
		return nil, s.Write2(ctx, a.ServerHandle, a.ItemHandle, value, moment, as...)
	case "write_secured":
		return nil, s.WriteSecured(ctx, a.ServerHandle, a.ItemHandle, a.CurrentUserID, a.VerifierUserID, value, a.call()...)
	case "write_secured2":
		return nil, s.WriteSecured2(ctx, a.ServerHandle, a.ItemHandle, a.CurrentUserID, a.VerifierUserID, value, moment, a.call()...)
	case "write_and_confirm":
		options := []mxgateway.ConfirmOption{mxgateway.ConfirmAs(a.UserID), mxgateway.ConfirmWith(a.ServerHandle)}
		if a.VerifierID != nil {
			options = append(options, mxgateway.ConfirmVerified(*a.VerifierID))
		}
		if a.Supervisory {
			options = append(options, mxgateway.ConfirmSupervisory())
		}
		if a.Timeout != nil {
			options = append(options, mxgateway.ConfirmWithin(seconds(a.Timeout)))
		}
		outcome, err := s.WriteAndConfirm(ctx, a.Tag, value, options...)
		if err != nil {
			return nil, err
		}
		return object{"value": asJSON(outcome.Value), "before": asJSON(outcome.Before), "completion": asJSON(outcome.Completion)}, nil
	}
	return nil, errUnsupported
}

func bulk(ctx context.Context, s *mxgateway.Session, op string, a arguments) (any, error) {
	call, h := a.call(), a.ServerHandle
	switch op {
	case "add_item_bulk":
		return results(s.AddItemBulk(ctx, h, a.TagAddresses, call...))
	case "subscribe_bulk":
		return results(s.SubscribeBulk(ctx, h, a.TagAddresses, call...))
	case "advise_item_bulk":
		return results(s.AdviseItemBulk(ctx, h, a.ItemHandles, call...))
	case "unadvise_item_bulk":
		return results(s.UnadviseItemBulk(ctx, h, a.ItemHandles, call...))
	case "remove_item_bulk":
		return results(s.RemoveItemBulk(ctx, h, a.ItemHandles, call...))
	case "unsubscribe_bulk":
		return results(s.UnsubscribeBulk(ctx, h, a.ItemHandles, call...))
	case "read_bulk":
		options := []mxgateway.ReadOption{mxgateway.ReadCall(call...)}
		if a.TimeoutMs != nil {
			options = append(options, mxgateway.TagLimit(time.Duration(*a.TimeoutMs)*time.Millisecond))
		}
		return results(s.ReadBulk(ctx, h, a.TagAddresses, options...))
	}
	as := []mxgateway.WriteOption{mxgateway.AsUser(a.UserID), mxgateway.WriteCall(call...)}
	var plain []mxgateway.WriteEntry
	var signed []mxgateway.SecuredEntry
	for _, each := range a.Entries {
		value, err := native(each.Value)
		if err != nil {
			return nil, err
		}
		var moment any
		if each.Timestamp != "" {
			if moment, err = momentOf(each.Timestamp); err != nil {
				return nil, err
			}
		}
		plain = append(plain, mxgateway.WriteEntry{ItemHandle: each.ItemHandle, Value: value, Timestamp: moment, UserID: each.UserID})
		signed = append(signed, mxgateway.SecuredEntry{
			ItemHandle: each.ItemHandle, CurrentUser: each.CurrentUserID, VerifierUser: each.VerifierUserID, Value: value, Timestamp: moment,
		})
	}
	switch op {
	case "write_bulk":
		return results(s.WriteBulk(ctx, h, plain, as...))
	case "write2_bulk":
		return results(s.Write2Bulk(ctx, h, plain, as...))
	case "write_secured_bulk":
		return results(s.WriteSecuredBulk(ctx, h, signed, call...))
	case "write_secured2_bulk":
		return results(s.WriteSecured2Bulk(ctx, h, signed, call...))
	}
	return nil, errUnsupported
}

// ----------------------------------------------------------------------------------------------------------- galaxy

func onGalaxy(ctx context.Context, g *mxgateway.Galaxy, op string, a arguments) (any, any, error) {
	switch op {
	case "close":
		return nil, nil, g.Close()
	case "connection_state":
		return nil, object{"state": string(g.State())}, nil
	case "test_connection":
		ok, err := g.TestConnection(ctx)
		return nil, object{"ok": ok}, err
	case "get_last_deploy_time":
		moment, present, err := g.LastDeployTime(ctx)
		answer := object{"present": present}
		if present {
			answer["time"] = float64(moment.UnixNano()) / 1e9
		}
		return nil, answer, err
	case "discover_hierarchy":
		found, err := g.Discover(ctx, a.filter())
		if err != nil {
			return nil, nil, err
		}
		return nil, object{"objects": listOf(found)}, nil
	case "iter_hierarchy":
		next, stop := pulled(g, a.filter())
		return objectStream{next, stop}, nil, nil
	case "browse":
		nodes, err := g.Browse(ctx, a.filter())
		if err != nil {
			return nil, nil, err
		}
		return nodes, object{"children": children(nodes)}, nil
	case "watch_deploy_events":
		var seen *time.Time
		if a.LastSeen != "" {
			stamp, err := clitext.Time(a.LastSeen)
			if err != nil {
				return nil, nil, err
			}
			moment := stamp.AsTime()
			seen = &moment
		}
		stream, err := g.WatchDeployEvents(context.Background(), seen)
		return streamed(stream, err)
	}
	return nil, nil, errUnsupported
}

func pulled(g *mxgateway.Galaxy, filter mxgateway.Filter) (func() (*galaxypb.GalaxyObject, error, bool), func()) {
	ctx, cancel := context.WithCancel(context.Background())
	type pair struct {
		object_ *galaxypb.GalaxyObject
		err     error
	}
	asked, found := make(chan struct{}), make(chan pair)
	go func() {
		defer close(found)
		if _, ok := <-asked; !ok {
			return
		}
		for each, err := range g.Objects(ctx, filter) {
			found <- pair{each, err}
			if _, ok := <-asked; !ok {
				return
			}
		}
	}()
	var once sync.Once
	next := func() (*galaxypb.GalaxyObject, error, bool) {
		select {
		case asked <- struct{}{}:
			got, ok := <-found
			return got.object_, got.err, ok
		case got, ok := <-found:
			return got.object_, got.err, ok
		}
	}
	return next, func() { once.Do(func() { cancel(); close(asked) }) }
}

func children(nodes []*mxgateway.Node) []any {
	found := []any{}
	for _, node := range nodes {
		found = append(found, object{"object": asJSON(node.Object), "has_children_hint": node.HasChildrenHint, "is_expanded": node.Expanded()})
	}
	return found
}

func expand(ctx context.Context, nodes []*mxgateway.Node, a arguments) (any, error) {
	if a.Index >= len(nodes) {
		return nil, fmt.Errorf("there is no node %d", a.Index)
	}
	var waiting sync.WaitGroup
	found := make([][]*mxgateway.Node, max(a.Times, 1))
	failures := make([]error, len(found))
	for index := range found {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			found[index], failures[index] = nodes[a.Index].Expand(ctx)
		}()
	}
	waiting.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, failures[0]
	}
	return object{"children": children(found[0])}, nil
}
