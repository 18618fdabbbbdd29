package mxgateway

import (
	"context"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// WriteEntry is one entry of WriteBulk and, with Timestamp, of Write2Bulk.
type WriteEntry struct {
	ItemHandle int32
	// Value is anything that ToMxValue takes.
	Value any
	// Timestamp is a time.Time or an *MxValue; of Write2Bulk only.
	Timestamp any
	// UserID of this entry alone; 0 takes that of the call.
	UserID int32
}

// SecuredEntry is one entry of WriteSecuredBulk and, with Timestamp, of WriteSecured2Bulk.
type SecuredEntry struct {
	ItemHandle, CurrentUser, VerifierUser int32
	Value                                 any
	Timestamp                             any
}

// ReadOption changes a read.
type ReadOption func(*readOptions)

type readOptions struct {
	limit time.Duration
	call  []CallOption
}

// TagLimit is how long each tag without a cached value may take, to the millisecond; 0 for the worker's default.
func TagLimit(limit time.Duration) ReadOption { return func(o *readOptions) { o.limit = limit } }

// ReadCall passes options of the call.
func ReadCall(options ...CallOption) ReadOption {
	return func(o *readOptions) { o.call = append(o.call, options...) }
}

func (s *Session) checkBulk(name string, count int) error {
	if most := s.maxBulk(); count > most {
		return argumentError(name, "%s has %d entries; one call takes at most %d, so split it", name, count, most)
	}
	return nil
}

// subscribing runs a bulk call whose results are SubscribeResults, one for each entry.
func (s *Session) subscribing(
	ctx context.Context, name, entries string, count int, payload proto.Message, results func(*pb.MxCommandReply) *pb.BulkSubscribeReply, options []CallOption,
) ([]*pb.SubscribeResult, error) {
	if err := s.checkBulk(entries, count); err != nil {
		return nil, err
	}
	command := newCommand(name, payload)
	reply, err := s.Invoke(ctx, command, options...)
	if err != nil {
		return nil, err
	}
	found := results(reply)
	if found == nil {
		return nil, missingPayload(reply, name)
	}
	if len(found.GetResults()) != count {
		return nil, wrongCount(reply, methodName(command), len(found.GetResults()), count)
	}
	return found.GetResults(), nil
}

// AddItemBulk adds an item for each reference. The results stand in the order of the tags; an entry that failed has
// WasSuccessful false and is no error of the call. So it is with all bulk calls.
func (s *Session) AddItemBulk(ctx context.Context, serverHandle int32, tags []string, options ...CallOption) ([]*pb.SubscribeResult, error) {
	numbers, err := clientHandles(len(tags), options)
	if err != nil {
		return nil, err
	}
	return s.subscribing(ctx, "add_item_bulk", "tag_addresses", len(tags),
		&pb.AddItemBulkCommand{ServerHandle: serverHandle, TagAddresses: tags, ClientHandles: numbers}, (*pb.MxCommandReply).GetAddItemBulk, options)
}

// SubscribeBulk adds and advises an item for each reference.
func (s *Session) SubscribeBulk(ctx context.Context, serverHandle int32, tags []string, options ...CallOption) ([]*pb.SubscribeResult, error) {
	numbers, err := clientHandles(len(tags), options)
	if err != nil {
		return nil, err
	}
	return s.subscribing(ctx, "subscribe_bulk", "tag_addresses", len(tags),
		&pb.SubscribeBulkCommand{ServerHandle: serverHandle, TagAddresses: tags, ClientHandles: numbers}, (*pb.MxCommandReply).GetSubscribeBulk, options)
}

// AdviseItemBulk advises each item.
func (s *Session) AdviseItemBulk(ctx context.Context, serverHandle int32, items []int32, options ...CallOption) ([]*pb.SubscribeResult, error) {
	return s.subscribing(ctx, "advise_item_bulk", "item_handles", len(items),
		&pb.AdviseItemBulkCommand{ServerHandle: serverHandle, ItemHandles: items}, (*pb.MxCommandReply).GetAdviseItemBulk, options)
}

// UnadviseItemBulk un-advises each item; the items stay.
func (s *Session) UnadviseItemBulk(ctx context.Context, serverHandle int32, items []int32, options ...CallOption) ([]*pb.SubscribeResult, error) {
	return s.subscribing(ctx, "un_advise_item_bulk", "item_handles", len(items),
		&pb.UnAdviseItemBulkCommand{ServerHandle: serverHandle, ItemHandles: items}, (*pb.MxCommandReply).GetUnAdviseItemBulk, options)
}

// RemoveItemBulk removes each item.
func (s *Session) RemoveItemBulk(ctx context.Context, serverHandle int32, items []int32, options ...CallOption) ([]*pb.SubscribeResult, error) {
	return s.subscribing(ctx, "remove_item_bulk", "item_handles", len(items),
		&pb.RemoveItemBulkCommand{ServerHandle: serverHandle, ItemHandles: items}, (*pb.MxCommandReply).GetRemoveItemBulk, options)
}

// UnsubscribeBulk un-advises and removes each item.
func (s *Session) UnsubscribeBulk(ctx context.Context, serverHandle int32, items []int32, options ...CallOption) ([]*pb.SubscribeResult, error) {
	return s.subscribing(ctx, "unsubscribe_bulk", "item_handles", len(items),
		&pb.UnsubscribeBulkCommand{ServerHandle: serverHandle, ItemHandles: items}, (*pb.MxCommandReply).GetUnsubscribeBulk, options)
}

// ReadBulk reads each reference once. An advised tag answers from its last value (WasCached); others take the time of a
// short subscription.
func (s *Session) ReadBulk(ctx context.Context, serverHandle int32, tags []string, options ...ReadOption) ([]*pb.BulkReadResult, error) {
	o := &readOptions{}
	for _, option := range options {
		option(o)
	}
	milliseconds := o.limit.Milliseconds()
	if o.limit < 0 || milliseconds > math.MaxUint32 {
		return nil, argumentError("timeout_ms", "timeout_ms is %d, but needs to be within 0 and %d", milliseconds, uint32(math.MaxUint32))
	}
	if err := s.checkBulk("tag_addresses", len(tags)); err != nil {
		return nil, err
	}
	command := newCommand("read_bulk", &pb.ReadBulkCommand{ServerHandle: serverHandle, TagAddresses: tags, TimeoutMs: uint32(milliseconds)})
	reply, err := s.Invoke(ctx, command, o.call...)
	if err != nil {
		return nil, err
	}
	if reply.GetReadBulk() == nil {
		return nil, missingPayload(reply, "read_bulk")
	}
	if found := len(reply.GetReadBulk().GetResults()); found != len(tags) {
		return nil, wrongCount(reply, methodName(command), found, len(tags))
	}
	return reply.GetReadBulk().GetResults(), nil
}

func (s *Session) writingBulk(
	ctx context.Context, name string, count int, payload proto.Message, results func(*pb.MxCommandReply) *pb.BulkWriteReply, options []CallOption,
) ([]*pb.BulkWriteResult, error) {
	command := newCommand(name, payload)
	reply, err := s.Invoke(ctx, command, options...)
	if err != nil {
		return nil, err
	}
	found := results(reply)
	if found == nil {
		return nil, missingPayload(reply, name)
	}
	if len(found.GetResults()) != count {
		return nil, wrongCount(reply, methodName(command), len(found.GetResults()), count)
	}
	return found.GetResults(), nil
}

// WriteBulk writes one value to each item. AsUser is the user of the entries without one of their own.
func (s *Session) WriteBulk(ctx context.Context, serverHandle int32, entries []WriteEntry, options ...WriteOption) ([]*pb.BulkWriteResult, error) {
	if err := s.checkBulk("entries", len(entries)); err != nil {
		return nil, err
	}
	o := writing(options)
	payload := &pb.WriteBulkCommand{ServerHandle: serverHandle}
	for index, entry := range entries {
		value, _, err := entryValues(index, entry.Value, nil, false)
		if err != nil {
			return nil, err
		}
		payload.Entries = append(payload.Entries, &pb.WriteBulkEntry{ItemHandle: entry.ItemHandle, Value: value, UserId: userOf(entry.UserID, o.userID)})
	}
	return s.writingBulk(ctx, "write_bulk", len(entries), payload, (*pb.MxCommandReply).GetWriteBulk, o.call)
}

// Write2Bulk is WriteBulk with a source time for each entry.
func (s *Session) Write2Bulk(ctx context.Context, serverHandle int32, entries []WriteEntry, options ...WriteOption) ([]*pb.BulkWriteResult, error) {
	if err := s.checkBulk("entries", len(entries)); err != nil {
		return nil, err
	}
	o := writing(options)
	payload := &pb.Write2BulkCommand{ServerHandle: serverHandle}
	for index, entry := range entries {
		value, moment, err := entryValues(index, entry.Value, entry.Timestamp, true)
		if err != nil {
			return nil, err
		}
		payload.Entries = append(payload.Entries, &pb.Write2BulkEntry{
			ItemHandle: entry.ItemHandle, Value: value, TimestampValue: moment, UserId: userOf(entry.UserID, o.userID),
		})
	}
	return s.writingBulk(ctx, "write2_bulk", len(entries), payload, (*pb.MxCommandReply).GetWrite2Bulk, o.call)
}

// WriteSecuredBulk is WriteSecured for each entry.
func (s *Session) WriteSecuredBulk(ctx context.Context, serverHandle int32, entries []SecuredEntry, options ...CallOption) ([]*pb.BulkWriteResult, error) {
	if err := s.checkBulk("entries", len(entries)); err != nil {
		return nil, err
	}
	payload := &pb.WriteSecuredBulkCommand{ServerHandle: serverHandle}
	for index, entry := range entries {
		value, _, err := entryValues(index, entry.Value, nil, false)
		if err != nil {
			return nil, err
		}
		payload.Entries = append(payload.Entries, &pb.WriteSecuredBulkEntry{
			ItemHandle: entry.ItemHandle, CurrentUserId: entry.CurrentUser, VerifierUserId: entry.VerifierUser, Value: value,
		})
	}
	return s.writingBulk(ctx, "write_secured_bulk", len(entries), payload, (*pb.MxCommandReply).GetWriteSecuredBulk, options)
}

// WriteSecured2Bulk is WriteSecured2 for each entry.
func (s *Session) WriteSecured2Bulk(ctx context.Context, serverHandle int32, entries []SecuredEntry, options ...CallOption) ([]*pb.BulkWriteResult, error) {
	if err := s.checkBulk("entries", len(entries)); err != nil {
		return nil, err
	}
	payload := &pb.WriteSecured2BulkCommand{ServerHandle: serverHandle}
	for index, entry := range entries {
		value, moment, err := entryValues(index, entry.Value, entry.Timestamp, true)
		if err != nil {
			return nil, err
		}
		payload.Entries = append(payload.Entries, &pb.WriteSecured2BulkEntry{
			ItemHandle: entry.ItemHandle, CurrentUserId: entry.CurrentUser, VerifierUserId: entry.VerifierUser,
			Value: value, TimestampValue: moment,
		})
	}
	return s.writingBulk(ctx, "write_secured2_bulk", len(entries), payload, (*pb.MxCommandReply).GetWriteSecured2Bulk, options)
}

func userOf(own, all int32) int32 {
	if own != 0 {
		return own
	}
	return all
}

func entryValues(index int, value, timestamp any, timed bool) (converted, moment *pb.MxValue, err error) {
	if converted, err = ToMxValue(value); err == nil && timed {
		moment, err = timestampValue(timestamp)
	}
	if err != nil {
		return nil, nil, &ArgumentError{Argument: "entries", Message: fmt.Sprintf("entries[%d]: %v", index, err), cause: err}
	}
	return converted, moment, nil
}
