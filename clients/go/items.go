package mxgateway

import (
	"context"
	"time"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// WriteOption changes one write.
type WriteOption func(*writeOptions)

type writeOptions struct {
	userID int32
	call   []CallOption
}

// AsUser writes in the name of a user of AuthenticateUser; 0 is no user.
func AsUser(id int32) WriteOption { return func(o *writeOptions) { o.userID = id } }

// WriteCall passes options of the call.
func WriteCall(options ...CallOption) WriteOption {
	return func(o *writeOptions) { o.call = append(o.call, options...) }
}

func writing(options []WriteOption) *writeOptions {
	o := &writeOptions{}
	for _, option := range options {
		option(o)
	}
	return o
}

// Register registers a client with MXAccess and returns the server handle that all other calls need.
func (s *Session) Register(ctx context.Context, clientName string, options ...CallOption) (int32, error) {
	reply, err := s.Invoke(ctx, newCommand("register", &pb.RegisterCommand{ClientName: clientName}), options...)
	if err != nil {
		return 0, err
	}
	if reply.GetRegister() == nil {
		return 0, missingPayload(reply, "register")
	}
	return reply.GetRegister().GetServerHandle(), nil
}

// Unregister ends a registration. Un-advise and remove its items first.
func (s *Session) Unregister(ctx context.Context, serverHandle int32, options ...CallOption) error {
	_, err := s.Invoke(ctx, newCommand("unregister", &pb.UnregisterCommand{ServerHandle: serverHandle}), options...)
	return err
}

// AddItem adds an item and returns its handle. MXAccess takes any text: whether the reference exists shows only after
// Advise, by the status of its first OnDataChange.
func (s *Session) AddItem(ctx context.Context, serverHandle int32, item string, options ...CallOption) (int32, error) {
	number, err := clientHandle(options)
	if err != nil {
		return 0, err
	}
	reply, err := s.Invoke(ctx, newCommand("add_item", &pb.AddItemCommand{
		ServerHandle: serverHandle, ItemDefinition: item, ClientHandle: number,
	}), options...)
	if err != nil {
		return 0, err
	}
	if reply.GetAddItem() == nil {
		return 0, missingPayload(reply, "add_item")
	}
	return reply.GetAddItem().GetItemHandle(), nil
}

// AddItem2 adds an item by a reference that may start with Me, MyContainer, MyArea, … of the object itemContext.
func (s *Session) AddItem2(ctx context.Context, serverHandle int32, item, itemContext string, options ...CallOption) (int32, error) {
	number, err := clientHandle(options)
	if err != nil {
		return 0, err
	}
	reply, err := s.Invoke(ctx, newCommand("add_item2", &pb.AddItem2Command{
		ServerHandle: serverHandle, ItemDefinition: item, ItemContext: itemContext, ClientHandle: number,
	}), options...)
	if err != nil {
		return 0, err
	}
	if reply.GetAddItem2() == nil {
		return 0, missingPayload(reply, "add_item2")
	}
	return reply.GetAddItem2().GetItemHandle(), nil
}

// AddBufferedItem adds an item whose values come in OnBufferedDataChange events.
func (s *Session) AddBufferedItem(ctx context.Context, serverHandle int32, item, itemContext string, options ...CallOption) (int32, error) {
	number, err := clientHandle(options)
	if err != nil {
		return 0, err
	}
	reply, err := s.Invoke(ctx, newCommand("add_buffered_item", &pb.AddBufferedItemCommand{
		ServerHandle: serverHandle, ItemDefinition: item, ItemContext: itemContext, ClientHandle: number,
	}), options...)
	if err != nil {
		return 0, err
	}
	if reply.GetAddBufferedItem() == nil {
		return 0, missingPayload(reply, "add_buffered_item")
	}
	return reply.GetAddBufferedItem().GetItemHandle(), nil
}

// RemoveItem removes an item. Wait for its pending OnWriteComplete first, and un-advise it.
func (s *Session) RemoveItem(ctx context.Context, serverHandle, itemHandle int32, options ...CallOption) error {
	_, err := s.Invoke(ctx, newCommand("remove_item", &pb.RemoveItemCommand{ServerHandle: serverHandle, ItemHandle: itemHandle}), options...)
	return err
}

// Advise subscribes to an item's changes: the current value comes at once, as OnDataChange.
func (s *Session) Advise(ctx context.Context, serverHandle, itemHandle int32, options ...CallOption) error {
	_, err := s.Invoke(ctx, newCommand("advise", &pb.AdviseCommand{ServerHandle: serverHandle, ItemHandle: itemHandle}), options...)
	return err
}

// AdviseSupervisory subscribes on a supervisory connection: no user is needed, and writes to secured attributes pass.
func (s *Session) AdviseSupervisory(ctx context.Context, serverHandle, itemHandle int32, options ...CallOption) error {
	_, err := s.Invoke(ctx, newCommand("advise_supervisory", &pb.AdviseSupervisoryCommand{
		ServerHandle: serverHandle, ItemHandle: itemHandle,
	}), options...)
	return err
}

// Unadvise ends a subscription (UnAdvise). Events that were under way may still arrive afterwards.
func (s *Session) Unadvise(ctx context.Context, serverHandle, itemHandle int32, options ...CallOption) error {
	_, err := s.Invoke(ctx, newCommand("un_advise", &pb.UnAdviseCommand{ServerHandle: serverHandle, ItemHandle: itemHandle}), options...)
	return err
}

// SetBufferedUpdateInterval sets how often buffered items deliver; MXAccess rounds up to a multiple of 100 ms.
func (s *Session) SetBufferedUpdateInterval(ctx context.Context, serverHandle, milliseconds int32, options ...CallOption) error {
	_, err := s.Invoke(ctx, newCommand("set_buffered_update_interval", &pb.SetBufferedUpdateIntervalCommand{
		ServerHandle: serverHandle, UpdateIntervalMilliseconds: milliseconds,
	}), options...)
	return err
}

// Suspend suspends an advised item and returns the call's status; OperationComplete tells the outcome.
func (s *Session) Suspend(ctx context.Context, serverHandle, itemHandle int32, options ...CallOption) (*pb.MxStatusProxy, error) {
	reply, err := s.Invoke(ctx, newCommand("suspend", &pb.SuspendCommand{ServerHandle: serverHandle, ItemHandle: itemHandle}), options...)
	if err != nil {
		return nil, err
	}
	if reply.GetSuspend() == nil {
		return nil, missingPayload(reply, "suspend")
	}
	return reply.GetSuspend().GetStatus(), nil
}

// Activate resumes a suspended item and returns the call's status; its current value is sent again.
func (s *Session) Activate(ctx context.Context, serverHandle, itemHandle int32, options ...CallOption) (*pb.MxStatusProxy, error) {
	reply, err := s.Invoke(ctx, newCommand("activate", &pb.ActivateCommand{ServerHandle: serverHandle, ItemHandle: itemHandle}), options...)
	if err != nil {
		return nil, err
	}
	if reply.GetActivate() == nil {
		return nil, missingPayload(reply, "activate")
	}
	return reply.GetActivate().GetStatus(), nil
}

// Write writes a value, see ToMxValue. It returns as soon as MXAccess took it: the outcome comes as OnWriteComplete.
// The item has to be advised and its first OnDataChange seen. A write is never repeated by the library; cancelling the
// call does not take it back.
func (s *Session) Write(ctx context.Context, serverHandle, itemHandle int32, value any, options ...WriteOption) error {
	o := writing(options)
	converted, err := ToMxValue(value)
	if err != nil {
		return err
	}
	_, err = s.Invoke(ctx, newCommand("write", &pb.WriteCommand{
		ServerHandle: serverHandle, ItemHandle: itemHandle, Value: converted, UserId: o.userID,
	}), o.call...)
	return err
}

// Write2 is Write with a source time of its own: a time.Time, or an *MxValue to send as it is.
func (s *Session) Write2(ctx context.Context, serverHandle, itemHandle int32, value, timestamp any, options ...WriteOption) error {
	o := writing(options)
	converted, err := ToMxValue(value)
	if err != nil {
		return err
	}
	moment, err := timestampValue(timestamp)
	if err != nil {
		return err
	}
	_, err = s.Invoke(ctx, newCommand("write2", &pb.Write2Command{
		ServerHandle: serverHandle, ItemHandle: itemHandle, Value: converted, TimestampValue: moment, UserId: o.userID,
	}), o.call...)
	return err
}

// WriteSecured writes in the name of one or two authenticated users: the verifier is the operator again where one
// signature is enough.
func (s *Session) WriteSecured(
	ctx context.Context, serverHandle, itemHandle, currentUser, verifierUser int32, value any, options ...CallOption,
) error {
	converted, err := ToMxValue(value)
	if err != nil {
		return err
	}
	_, err = s.Invoke(ctx, newCommand("write_secured", &pb.WriteSecuredCommand{
		ServerHandle: serverHandle, ItemHandle: itemHandle, CurrentUserId: currentUser, VerifierUserId: verifierUser, Value: converted,
	}), options...)
	return err
}

// WriteSecured2 is WriteSecured with a source time of its own.
func (s *Session) WriteSecured2(
	ctx context.Context, serverHandle, itemHandle, currentUser, verifierUser int32, value, timestamp any, options ...CallOption,
) error {
	converted, err := ToMxValue(value)
	if err != nil {
		return err
	}
	moment, err := timestampValue(timestamp)
	if err != nil {
		return err
	}
	_, err = s.Invoke(ctx, newCommand("write_secured2", &pb.WriteSecured2Command{
		ServerHandle: serverHandle, ItemHandle: itemHandle, CurrentUserId: currentUser, VerifierUserId: verifierUser,
		Value: converted, TimestampValue: moment,
	}), options...)
	return err
}

// AuthenticateUser checks a user's credentials and returns a user id for writes; it belongs to this server handle.
func (s *Session) AuthenticateUser(ctx context.Context, serverHandle int32, user, password string, options ...CallOption) (int32, error) {
	reply, err := s.Invoke(ctx, newCommand("authenticate_user", &pb.AuthenticateUserCommand{
		ServerHandle: serverHandle, VerifyUser: user, VerifyUserPassword: password,
	}), options...)
	if err != nil {
		return 0, err
	}
	if reply.GetAuthenticateUser() == nil {
		return 0, missingPayload(reply, "authenticate_user")
	}
	return reply.GetAuthenticateUser().GetUserId(), nil
}

// ArchestrAUserToID returns the user id of an ArchestrA user by its GUID, without a password.
func (s *Session) ArchestrAUserToID(ctx context.Context, serverHandle int32, guid string, options ...CallOption) (int32, error) {
	reply, err := s.Invoke(ctx, newCommand("archestra_user_to_id", &pb.ArchestrAUserToIdCommand{
		ServerHandle: serverHandle, UserIdGuid: guid,
	}), options...)
	if err != nil {
		return 0, err
	}
	if reply.GetArchestraUserToId() == nil {
		return 0, missingPayload(reply, "archestra_user_to_id")
	}
	return reply.GetArchestraUserToId().GetUserId(), nil
}

func timestampValue(timestamp any) (*pb.MxValue, error) {
	switch moment := timestamp.(type) {
	case time.Time, *pb.MxValue:
		return ToMxValue(moment)
	}
	return nil, argumentError("timestamp", "a timestamp is a time.Time or an *MxValue, not %T", timestamp)
}
