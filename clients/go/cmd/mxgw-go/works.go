package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	mxgateway "mxaccess-gateway.example/clients/go"
	"mxaccess-gateway.example/clients/go/galaxypb"
	pb "mxaccess-gateway.example/clients/go/gatewaypb"
	"mxaccess-gateway.example/clients/go/internal/clitext"
	"mxaccess-gateway.example/clients/go/internal/jsontext"
)

const maxAggregate = 10_000

type field = jsontext.Field

var works map[string]work

func init() {
	works = map[string]work{
		"smoke": smoke, "open-session": openSession, "close-session": closeSession, "session-state": sessionState, "ping": ping,
		"worker-info": workerInfo, "stream-events": streamEvents, "drain-events": drainEvents,
		"register": register, "authenticate-user": authenticateUser, "archestra-user-to-id": archestraUser,
		"galaxy-test-connection": galaxyTest, "galaxy-last-deploy": galaxyLast, "galaxy-discover": galaxyDiscover,
		"galaxy-browse": galaxyBrowse, "galaxy-watch": galaxyWatch, "query-active-alarms": queryAlarms,
		"stream-alarms": streamAlarms, "acknowledge-alarm": acknowledgeAlarm, "bench-read-bulk": benchRead, "bench-stream-events": benchStream,
		"suspend": status, "activate": status,
		"add-item": addItem, "add-item2": addItem, "add-buffered-item": addItem,
		"write": write, "write2": write, "write-secured": write, "write-secured2": write,
		"write-bulk": writeBulk, "write2-bulk": writeBulk, "write-secured-bulk": writeBulk, "write-secured2-bulk": writeBulk,
		"read-bulk": readBulk,
	}
	for _, name := range []string{"unregister", "remove-item", "advise", "advise-supervisory", "unadvise", "set-buffered-update-interval"} {
		works[name] = plain
	}
	for _, name := range []string{"subscribe-bulk", "unsubscribe-bulk", "add-item-bulk", "advise-item-bulk", "unadvise-item-bulk", "remove-item-bulk"} {
		works[name] = itemsBulk
	}
}

func openSession(r *run, ctx context.Context, client *mxgateway.Client) error {
	options := []mxgateway.SessionOption{
		mxgateway.WithSessionName(r.own(r.given.text("client-session-name"))), mxgateway.WithBackend(r.given.text("backend")),
		// The next command is another process: the session has to outlive this one's connection.
		mxgateway.WithKeepWhenDisconnected(),
	}
	if r.given.flag("command-timeout") {
		options = append(options, mxgateway.WithCommandTimeout(duration(r.given.number("command-timeout"))))
	}
	session, err := client.OpenSession(ctx, options...)
	if err != nil {
		return err
	}
	if session.Simulated() {
		r.note("the values are simulated")
	}
	return r.message(session.Raw(), fmt.Sprintf("session %s on %s", session.ID(), session.Raw().GetBackendName()))
}

// own is a default name of conformance/cli.json as this program's.
func (r *run) own(name string) string { return strings.Replace(name, "mxgw-py", "mxgw-go", 1) }

func closeSession(r *run, ctx context.Context, client *mxgateway.Client) error {
	session := r.session(client)
	reply, err := session.Close(ctx)
	if err != nil {
		return err
	}
	return r.message(reply, fmt.Sprintf("session %s %s", session.ID(), enumText(reply.GetFinalState().String(), "SESSION_STATE_")))
}

func sessionState(r *run, ctx context.Context, client *mxgateway.Client) error {
	state, err := r.session(client).State(ctx)
	if err != nil {
		return err
	}
	return r.fields([]string{enumText(state.String(), "SESSION_STATE_")}, field{Key: "sessionId", Value: r.given.text("session-id")}, field{Key: "state", Value: state.String()})
}

// invoke runs a command of the generated messages and prints the reply.
func (r *run) invoke(ctx context.Context, client *mxgateway.Client, command *pb.MxCommand, text func(*pb.MxCommandReply) string) error {
	reply, err := r.session(client).Invoke(ctx, command)
	if err != nil {
		return err
	}
	return r.message(reply, text(reply))
}

func always(text string) func(*pb.MxCommandReply) string {
	return func(*pb.MxCommandReply) string { return text }
}

func ping(r *run, ctx context.Context, client *mxgateway.Client) error {
	command := mxgateway.NewCommand("ping", &pb.PingCommand{Message: r.given.text("message")})
	return r.invoke(ctx, client, command, (*pb.MxCommandReply).GetDiagnosticMessage)
}

func workerInfo(r *run, ctx context.Context, client *mxgateway.Client) error {
	info, err := r.session(client).WorkerInfo(ctx)
	if err != nil {
		return err
	}
	return r.message(info, fmt.Sprintf("pid %d, version %s, %s", info.GetWorkerProcessId(), info.GetWorkerVersion(), info.GetMxaccessProgid()))
}

func drainEvents(r *run, ctx context.Context, client *mxgateway.Client) error {
	events, err := r.session(client).DrainEvents(ctx, uint32(r.given.int("max-events")))
	if err != nil {
		return err
	}
	return r.fields(eventTexts(events), field{Key: "events", Value: jsontext.Messages(events)})
}

// follow takes messages until there are enough, the time is over, Ctrl-C, or the end: all of them ordinary ends.
func follow[M proto.Message](r *run, ctx context.Context, maximum string, next func(context.Context) (M, error), text func(M) string) ([]M, error) {
	limit := int64(0)
	if r.given.flag(maximum) {
		limit = r.given.int(maximum)
	}
	asJSON := r.given.flag("json")
	if asJSON && (limit == 0 || limit > maxAggregate) {
		limit = maxAggregate
	}
	var collected []M
	for count := int64(0); limit == 0 || count < limit; count++ {
		message, err := next(ctx)
		if errors.Is(err, io.EOF) || (err != nil && ctx.Err() != nil) {
			break
		}
		if err != nil {
			return nil, err
		}
		if asJSON {
			collected = append(collected, message)
		} else if err := r.line(message, text(message)); err != nil {
			return nil, err
		}
	}
	return collected, nil
}

// bounded is the time that a stream may take: --duration, or --timeout where that was given. Not a deadline, which the
// gateway would know, too: its own end of the call could come first, and would be an error.
func (r *run) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	for _, name := range []string{"duration", "timeout"} {
		if r.given.flag(name) {
			timer := time.AfterFunc(duration(r.given.number(name)), cancel)
			return ctx, func() { timer.Stop(); cancel() }
		}
	}
	return ctx, cancel
}

func streamEvents(r *run, ctx context.Context, client *mxgateway.Client) error {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	var collected []*pb.MxEvent
	stream, err := r.session(client).Events(ctx, mxgateway.After(uint64(r.given.int("after-worker-sequence"))))
	if err == nil {
		defer stream.Close()
		collected, err = follow(r, ctx, "max-events", stream.Next, eventText)
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	if !r.given.flag("json") {
		return nil
	}
	return r.fields(nil, field{Key: "sessionId", Value: r.given.text("session-id")}, field{Key: "events", Value: jsontext.Messages(collected)})
}

func eventText(event *pb.MxEvent) string {
	if gap := event.GetReplayGap(); gap != nil {
		if gap.GetDroppedEvents() > 0 {
			return fmt.Sprintf("gap: %d events lost", gap.GetDroppedEvents())
		}
		return fmt.Sprintf("gap: before %d lost", gap.GetOldestAvailableSequence())
	}
	parts := []string{fmt.Sprint(event.GetWorkerSequence()), strings.TrimPrefix(event.GetFamily().String(), "MX_EVENT_FAMILY_"), fmt.Sprintf("item %d", event.GetItemHandle())}
	if event.GetValue() != nil {
		parts = append(parts, fmt.Sprintf("%v %s", mxgateway.FromMxValue(event.GetValue()), mxgateway.QualityName(event.GetQuality())))
	}
	for _, each := range event.GetStatuses() {
		parts = append(parts, mxgateway.StatusText(each))
	}
	return strings.Join(parts, "  ")
}

func eventTexts(events []*pb.MxEvent) []string {
	lines := make([]string, len(events))
	for index, event := range events {
		lines[index] = eventText(event)
	}
	return lines
}

// ------------------------------------------------------------------------------------------------------------ items

func register(r *run, ctx context.Context, client *mxgateway.Client) error {
	handle, err := r.session(client).Register(ctx, r.own(r.given.text("client-name")))
	if err != nil {
		return err
	}
	return r.fields([]string{fmt.Sprint(handle)}, field{Key: "sessionId", Value: r.given.text("session-id")}, field{Key: "serverHandle", Value: handle})
}

func addItem(r *run, ctx context.Context, client *mxgateway.Client) error {
	session, server, item := r.session(client), r.given.handle("server-handle"), r.given.text("item")
	var handle int32
	var err error
	switch r.command.name {
	case "add-item":
		handle, err = session.AddItem(ctx, server, item)
	case "add-item2":
		handle, err = session.AddItem2(ctx, server, item, r.given.text("context"))
	default:
		handle, err = session.AddBufferedItem(ctx, server, item, r.given.text("context"))
	}
	if err != nil {
		return err
	}
	return r.fields([]string{fmt.Sprint(handle)}, field{Key: "sessionId", Value: session.ID()}, field{Key: "serverHandle", Value: server}, field{Key: "itemHandle", Value: handle})
}

// plain runs a command without a result of its own and prints the reply.
func plain(r *run, ctx context.Context, client *mxgateway.Client) error {
	server, item := r.given.handle("server-handle"), r.given.handle("item-handle")
	var command *pb.MxCommand
	switch r.command.name {
	case "unregister":
		command = mxgateway.NewCommand("unregister", &pb.UnregisterCommand{ServerHandle: server})
	case "remove-item":
		command = mxgateway.NewCommand("remove_item", &pb.RemoveItemCommand{ServerHandle: server, ItemHandle: item})
	case "advise":
		command = mxgateway.NewCommand("advise", &pb.AdviseCommand{ServerHandle: server, ItemHandle: item})
	case "advise-supervisory":
		command = mxgateway.NewCommand("advise_supervisory", &pb.AdviseSupervisoryCommand{ServerHandle: server, ItemHandle: item})
	case "unadvise":
		command = mxgateway.NewCommand("un_advise", &pb.UnAdviseCommand{ServerHandle: server, ItemHandle: item})
	default:
		command = mxgateway.NewCommand("set_buffered_update_interval", &pb.SetBufferedUpdateIntervalCommand{
			ServerHandle: server, UpdateIntervalMilliseconds: r.given.handle("milliseconds"),
		})
	}
	return r.invoke(ctx, client, command, always("ok"))
}

func status(r *run, ctx context.Context, client *mxgateway.Client) error {
	session := r.session(client)
	call := session.Suspend
	if r.command.name == "activate" {
		call = session.Activate
	}
	found, err := call(ctx, r.given.handle("server-handle"), r.given.handle("item-handle"))
	if err != nil {
		return err
	}
	return r.fields([]string{mxgateway.StatusText(found)}, field{Key: "status", Value: proto.Message(found)})
}

func (r *run) value() (*pb.MxValue, error) {
	value, err := clitext.Value(r.given.text("value"), r.given.text("type"), "--value")
	if err != nil {
		return nil, usageError{err}
	}
	return value, nil
}

func (r *run) users() (current, verifier int32) {
	current = r.given.handle("current-user-id")
	if r.given.flag("verifier-user-id") {
		return current, r.given.handle("verifier-user-id")
	}
	return current, current
}

func write(r *run, ctx context.Context, client *mxgateway.Client) error {
	value, err := r.value()
	if err != nil {
		return err
	}
	server, item := r.given.handle("server-handle"), r.given.handle("item-handle")
	current, verifier := r.users()
	var moment *pb.MxValue
	if r.given.flag("timestamp") {
		moment = clitext.Moment(r.given.moment("timestamp"))
	}
	var command *pb.MxCommand
	switch r.command.name {
	case "write":
		command = mxgateway.NewCommand("write", &pb.WriteCommand{ServerHandle: server, ItemHandle: item, Value: value, UserId: r.given.handle("user-id")})
	case "write2":
		command = mxgateway.NewCommand("write2", &pb.Write2Command{ServerHandle: server, ItemHandle: item, Value: value, TimestampValue: moment, UserId: r.given.handle("user-id")})
	case "write-secured":
		command = mxgateway.NewCommand("write_secured", &pb.WriteSecuredCommand{ServerHandle: server, ItemHandle: item, CurrentUserId: current, VerifierUserId: verifier, Value: value})
	default:
		command = mxgateway.NewCommand("write_secured2", &pb.WriteSecured2Command{ServerHandle: server, ItemHandle: item, CurrentUserId: current, VerifierUserId: verifier, Value: value, TimestampValue: moment})
	}
	return r.invoke(ctx, client, command, always("sent; the outcome comes as OnWriteComplete"))
}

func authenticateUser(r *run, ctx context.Context, client *mxgateway.Client) error {
	password, err := r.password()
	if err != nil {
		return err
	}
	r.secrets = append(r.secrets, password)
	id, err := r.session(client).AuthenticateUser(ctx, r.given.handle("server-handle"), r.given.text("user"), password)
	return r.userID(id, err)
}

// password never comes from the command line.
func (r *run) password() (string, error) {
	if !r.given.flag("password-env") {
		if r.inBatch {
			return "", usage("there is no terminal to ask for the password; use --password-env VARIABLE")
		}
		fmt.Fprint(os.Stderr, "Password: ")
		line, err := bufio.NewReader(r.stdin).ReadString('\n')
		if line == "" && err != nil {
			return "", usage("there is no terminal to ask for the password; use --password-env VARIABLE")
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	password, set := r.getenv(r.given.text("password-env"))
	if !set {
		return "", usage("the environment variable %s (--password-env) is not set", r.given.text("password-env"))
	}
	return password, nil
}

func archestraUser(r *run, ctx context.Context, client *mxgateway.Client) error {
	id, err := r.session(client).ArchestrAUserToID(ctx, r.given.handle("server-handle"), r.given.text("guid"))
	return r.userID(id, err)
}

func (r *run) userID(id int32, err error) error {
	if err != nil {
		return err
	}
	return r.fields([]string{fmt.Sprint(id)}, field{Key: "sessionId", Value: r.given.text("session-id")}, field{Key: "userId", Value: id})
}

// ------------------------------------------------------------------------------------------------------------- bulk

func results[M interface {
	proto.Message
	GetWasSuccessful() bool
	GetItemHandle() int32
}](r *run, found []M, err error) error {
	if err != nil {
		return err
	}
	lines := make([]string, len(found))
	for index, each := range found {
		lines[index] = resultText(each, each.GetWasSuccessful(), each.GetItemHandle())
	}
	return r.fields(lines, field{Key: "results", Value: jsontext.Messages(found)})
}

func resultText(result proto.Message, ok bool, handle int32) string {
	name := fmt.Sprintf("item %d", handle)
	if tagged, is := result.(interface{ GetTagAddress() string }); is && tagged.GetTagAddress() != "" {
		name = tagged.GetTagAddress()
	}
	if !ok {
		return name + ": failed: " + failureText(result)
	}
	if read, is := result.(*pb.BulkReadResult); is {
		cached := ""
		if read.GetWasCached() {
			cached = " (cached)"
		}
		return fmt.Sprintf("%s: %v %s%s", name, mxgateway.FromMxValue(read.GetValue()), mxgateway.QualityName(read.GetQuality()), cached)
	}
	return fmt.Sprintf("%s: ok, handle %d", name, handle)
}

func failureText(result proto.Message) string {
	if judged, is := result.(interface{ GetStatuses() []*pb.MxStatusProxy }); is {
		for _, each := range judged.GetStatuses() {
			if mxgateway.IsStatusFailure(each) {
				return mxgateway.StatusText(each)
			}
		}
	}
	if told, is := result.(interface{ GetErrorMessage() string }); is && told.GetErrorMessage() != "" {
		return told.GetErrorMessage()
	}
	return "without a reason"
}

func itemsBulk(r *run, ctx context.Context, client *mxgateway.Client) error {
	session, server := r.session(client), r.given.handle("server-handle")
	byName := map[string]func(context.Context, int32, []string, ...mxgateway.CallOption) ([]*pb.SubscribeResult, error){
		"add-item-bulk": session.AddItemBulk, "subscribe-bulk": session.SubscribeBulk,
	}
	if call, is := byName[r.command.name]; is {
		references, err := clitext.References(r.given.text("items"), "--items")
		if err != nil {
			return usageError{err}
		}
		found, err := call(ctx, server, references)
		return results(r, found, err)
	}
	call := map[string]func(context.Context, int32, []int32, ...mxgateway.CallOption) ([]*pb.SubscribeResult, error){
		"advise-item-bulk": session.AdviseItemBulk, "unadvise-item-bulk": session.UnadviseItemBulk,
		"remove-item-bulk": session.RemoveItemBulk, "unsubscribe-bulk": session.UnsubscribeBulk,
	}[r.command.name]
	handles, err := clitext.Handles(r.given.text("item-handles"), "--item-handles")
	if err != nil {
		return usageError{err}
	}
	found, err := call(ctx, server, handles)
	return results(r, found, err)
}

func readBulk(r *run, ctx context.Context, client *mxgateway.Client) error {
	references, err := clitext.References(r.given.text("items"), "--items")
	if err != nil {
		return usageError{err}
	}
	limit := mxgateway.TagLimit(time.Duration(r.given.int("timeout-ms")) * time.Millisecond)
	found, err := r.session(client).ReadBulk(ctx, r.given.handle("server-handle"), references, limit)
	return results(r, found, err)
}

func writeBulk(r *run, ctx context.Context, client *mxgateway.Client) error {
	handles, err := clitext.Handles(r.given.text("item-handles"), "--item-handles")
	if err != nil {
		return usageError{err}
	}
	texts, err := clitext.List(r.given.text("values"))
	if err != nil {
		return usageError{fmt.Errorf("--values: %w", err)}
	}
	if len(handles) != len(texts) {
		return usage("--item-handles has %d entries, --values %d; their numbers have to match", len(handles), len(texts))
	}
	current, verifier := r.users()
	var moment any
	if r.given.flag("timestamp") {
		moment = clitext.Moment(r.given.moment("timestamp"))
	}
	var open []mxgateway.WriteEntry
	var signed []mxgateway.SecuredEntry
	for index, handle := range handles {
		value, err := clitext.Value(texts[index], r.given.text("type"), "--values")
		if err != nil {
			return usageError{err}
		}
		open = append(open, mxgateway.WriteEntry{ItemHandle: handle, Value: value, Timestamp: moment})
		signed = append(signed, mxgateway.SecuredEntry{ItemHandle: handle, CurrentUser: current, VerifierUser: verifier, Value: value, Timestamp: moment})
	}
	session, server, as := r.session(client), r.given.handle("server-handle"), mxgateway.AsUser(r.given.handle("user-id"))
	var found []*pb.BulkWriteResult
	switch r.command.name {
	case "write-bulk":
		found, err = session.WriteBulk(ctx, server, open, as)
	case "write2-bulk":
		found, err = session.Write2Bulk(ctx, server, open, as)
	case "write-secured-bulk":
		found, err = session.WriteSecuredBulk(ctx, server, signed)
	default:
		found, err = session.WriteSecured2Bulk(ctx, server, signed)
	}
	return results(r, found, err)
}

// ----------------------------------------------------------------------------------------------------------- galaxy

func galaxyTest(r *run, ctx context.Context, client *mxgateway.Client) error {
	ok, err := client.Galaxy().TestConnection(ctx)
	if err != nil {
		return err
	}
	text := "reachable"
	if !ok {
		text = "not reachable"
	}
	if err := r.fields([]string{text}, field{Key: "ok", Value: ok}); err != nil || ok {
		return err
	}
	return errSilent
}

func galaxyLast(r *run, ctx context.Context, client *mxgateway.Client) error {
	reply, err := client.Galaxy().LastDeployTimeRaw(ctx)
	if err != nil {
		return err
	}
	text, shown := "never", any(nil)
	if reply.GetPresent() {
		text = stampText(reply.GetTimeOfLastDeploy())
		shown = text
	}
	return r.fields([]string{text}, field{Key: "present", Value: reply.GetPresent()}, field{Key: "timeOfLastDeploy", Value: shown})
}

// stampText is a time as protobuf's JSON has it: 0, 3, 6 or 9 digits.
func stampText(stamp *timestamppb.Timestamp) string {
	if stamp.CheckValid() != nil {
		return fmt.Sprintf("%d s %d ns since 1970", stamp.GetSeconds(), stamp.GetNanos())
	}
	text := stamp.AsTime().Format("2006-01-02T15:04:05.000000000")
	for range 3 {
		text = strings.TrimSuffix(text, "000")
	}
	return strings.TrimSuffix(text, ".") + "Z"
}

func (r *run) filter() mxgateway.Filter {
	v := r.given
	filter := mxgateway.Filter{
		Root: v.text("root") + v.text("parent"), RootPath: v.text("root-contained-path") + v.text("contained-path"),
		TemplateChainContains: v.texts["template"], TagNameGlob: v.text("glob"), WithoutAttributes: v.flag("no-attributes"),
		AlarmBearingOnly: v.flag("alarm-bearing-only"), HistorizedOnly: v.flag("historized-only"), IncludeAncestors: v.flag("ancestors"),
	}
	for _, each := range v.texts["category"] {
		var number int32
		_, _ = fmt.Sscan(each, &number)
		filter.CategoryIDs = append(filter.CategoryIDs, number)
	}
	origins := map[string]galaxypb.AttributeOrigin{
		"configured": galaxypb.AttributeOrigin_ATTRIBUTE_ORIGIN_CONFIGURED, "extension": galaxypb.AttributeOrigin_ATTRIBUTE_ORIGIN_EXTENSION,
		"built-in": galaxypb.AttributeOrigin_ATTRIBUTE_ORIGIN_BUILT_IN,
	}
	for _, each := range v.texts["origin"] {
		filter.AttributeOrigins = append(filter.AttributeOrigins, origins[each])
	}
	if v.flag("max-depth") {
		depth := v.handle("max-depth")
		filter.MaxDepth = &depth
	}
	return filter
}

func galaxyDiscover(r *run, ctx context.Context, client *mxgateway.Client) error {
	var found []*galaxypb.GalaxyObject
	limit := r.given.int("limit")
	var lines []string
	depths := map[int32]int{}
	for each, err := range client.Galaxy().Objects(ctx, r.filter()) {
		if err != nil {
			return err
		}
		found = append(found, each)
		depth, known := depths[each.GetParentGobjectId()]
		if known {
			depth++
		}
		depths[each.GetGobjectId()] = depth
		lines = append(lines, strings.Repeat("  ", depth)+objectText(each))
		if limit > 0 && int64(len(found)) == limit {
			break
		}
	}
	return r.fields(lines, field{Key: "objects", Value: jsontext.Messages(found)})
}

func objectText(each *galaxypb.GalaxyObject) string {
	text := each.GetBrowseName()
	if text == "" {
		text = each.GetTagName()
	} else if text != each.GetTagName() {
		text += " (" + each.GetTagName() + ")"
	}
	if each.GetIsArea() {
		text += "/"
	}
	return text
}

func galaxyBrowse(r *run, ctx context.Context, client *mxgateway.Client) error {
	nodes, err := client.Galaxy().Browse(ctx, r.filter())
	if err != nil {
		return err
	}
	objects, hints, lines := []*galaxypb.GalaxyObject{}, []bool{}, []string{}
	for _, node := range nodes {
		objects, hints = append(objects, node.Object), append(hints, node.HasChildrenHint)
		line := objectText(node.Object)
		if node.HasChildrenHint {
			line += " …"
		}
		lines = append(lines, line)
	}
	return r.fields(lines, field{Key: "children", Value: jsontext.Messages(objects)}, field{Key: "childHasChildren", Value: hints})
}

func galaxyWatch(r *run, ctx context.Context, client *mxgateway.Client) error {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	var seen *time.Time
	if r.given.flag("last-seen-deploy-time") {
		moment := r.given.moment("last-seen-deploy-time").AsTime()
		seen = &moment
	}
	var collected []*galaxypb.DeployEvent
	stream, err := client.Galaxy().WatchDeployEvents(ctx, seen)
	if err == nil {
		defer stream.Close()
		collected, err = follow(r, ctx, "max-events", stream.Next, func(event *galaxypb.DeployEvent) string {
			return fmt.Sprintf("#%d objects=%d attributes=%d", event.GetSequence(), event.GetObjectCount(), event.GetAttributeCount())
		})
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	if !r.given.flag("json") {
		return nil
	}
	return r.fields(nil, field{Key: "events", Value: jsontext.Messages(collected)})
}

// ----------------------------------------------------------------------------------------------------------- alarms

func queryAlarms(r *run, ctx context.Context, client *mxgateway.Client) error {
	stream, err := client.QueryActiveAlarms(ctx, &pb.QueryActiveAlarmsRequest{
		ClientCorrelationId: mxgateway.NewCorrelationID(), AlarmFilterPrefix: r.given.text("filter-prefix"),
		Limit: uint32(r.given.int("limit")), Order: pb.AlarmOrder_ALARM_ORDER_PRIORITY,
	})
	if err != nil {
		return err
	}
	var found []*pb.ActiveAlarmSnapshot
	var lines []string
	for each, err := range stream.All(ctx) {
		if err != nil {
			return err
		}
		found = append(found, each)
		lines = append(lines, alarmText(each.GetAlarmFullReference(), each.GetSeverity(), each.GetDescription()))
	}
	return r.fields(lines, field{Key: "alarms", Value: jsontext.Messages(found)})
}

func alarmText(reference string, severity int32, description string) string {
	return fmt.Sprintf("%s\tseverity %d\t%s", reference, severity, description)
}

func streamAlarms(r *run, ctx context.Context, client *mxgateway.Client) error {
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	var collected []*pb.AlarmFeedMessage
	stream, err := client.StreamAlarms(ctx, &pb.StreamAlarmsRequest{
		ClientCorrelationId: mxgateway.NewCorrelationID(), AlarmFilterPrefix: r.given.text("filter-prefix"),
	})
	if err == nil {
		defer stream.Close()
		collected, err = follow(r, ctx, "max-messages", stream.Next, func(message *pb.AlarmFeedMessage) string {
			if alarm := message.GetActiveAlarm(); alarm != nil {
				return "active\t" + alarmText(alarm.GetAlarmFullReference(), alarm.GetSeverity(), alarm.GetDescription())
			}
			if change := message.GetTransition(); change != nil {
				kind := enumText(change.GetTransitionKind().String(), "ALARM_TRANSITION_KIND_")
				return kind + "\t" + alarmText(change.GetAlarmFullReference(), change.GetSeverity(), change.GetDescription())
			}
			return strings.TrimSpace(message.String())
		})
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	if !r.given.flag("json") {
		return nil
	}
	return r.fields(nil, field{Key: "messages", Value: jsontext.Messages(collected)})
}

func acknowledgeAlarm(r *run, ctx context.Context, client *mxgateway.Client) error {
	references := r.given.texts["reference"]
	if len(references) != 1 {
		return usage("give one --reference")
	}
	wait := 3 * time.Second
	if r.given.flag("no-wait") {
		wait = 0
	}
	reply, err := client.AcknowledgeAlarm(ctx, &pb.AcknowledgeAlarmRequest{
		ClientCorrelationId: mxgateway.NewCorrelationID(), AlarmFullReference: references[0], Comment: r.given.text("comment"),
		OperatorUser: r.given.text("operator"), WaitForTransition: durationpb.New(wait),
	})
	if err != nil {
		return err
	}
	outcome := enumText(reply.GetOutcome().String(), "ALARM_ACK_OUTCOME_")
	if err := r.message(reply, strings.TrimSpace(outcome+" "+reply.GetAlarmFullReference())); err != nil {
		return err
	}
	switch reply.GetOutcome() {
	case pb.AlarmAckOutcome_ALARM_ACK_OUTCOME_ACKNOWLEDGED, pb.AlarmAckOutcome_ALARM_ACK_OUTCOME_ACCEPTED,
		pb.AlarmAckOutcome_ALARM_ACK_OUTCOME_ALREADY_ACKNOWLEDGED:
		return nil
	case pb.AlarmAckOutcome_ALARM_ACK_OUTCOME_UNSPECIFIED:
		// The original gateway says no outcome; its HRESULT does.
		if reply.GetHresult() >= 0 && !mxgateway.IsStatusFailure(reply.GetStatus()) {
			return nil
		}
	}
	return errSilent
}
