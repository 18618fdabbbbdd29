package mxgateway

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// checkProtocol gives an error when the gateway says that it could not do what was asked. A failure of MXAccess passes.
func checkProtocol(reply hasProtocolStatus, what, correlationID string) error {
	status := reply.GetProtocolStatus()
	code := status.GetCode()
	if code == pb.ProtocolStatusCode_PROTOCOL_STATUS_CODE_OK || code == pb.ProtocolStatusCode_PROTOCOL_STATUS_CODE_MXACCESS_FAILURE {
		return nil
	}
	kind := kindOfReason(status.GetReason())
	if kind == 0 {
		kind = kindByProtocolStatus[code.String()]
	}
	if kind == 0 {
		err := newError(KindProtocol, fmt.Sprintf("%s: the reply has no usable protocol status (code %d)", what, int32(code)))
		err.CorrelationID, err.Reply, err.ProtocolStatus = correlationID, reply, status
		return err
	}
	text := status.GetMessage()
	if text == "" {
		text = strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(code.String(), "PROTOCOL_STATUS_CODE_"), "_", " "))
	}
	err := newError(kind, what+": "+text)
	err.Reason, err.CorrelationID, err.Reply, err.ProtocolStatus = status.GetReason(), correlationID, reply, status
	err.RetryAfter = status.GetRetryAfter().AsDuration()
	if command, ok := reply.(*pb.MxCommandReply); ok && kind.is(KindCommand) {
		err.HResult, err.Statuses = command.Hresult, command.GetStatuses()
	}
	return err
}

// checkMxAccess gives an error when MXAccess failed: by protocol status, by a negative HRESULT, or by a failed status.
func checkMxAccess(reply *pb.MxCommandReply, what string) error {
	var failed []string
	for _, status := range reply.GetStatuses() {
		if IsStatusFailure(status) {
			failed = append(failed, StatusText(status))
		}
	}
	byStatus := reply.GetProtocolStatus().GetCode() == pb.ProtocolStatusCode_PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
	if !byStatus && len(failed) == 0 && reply.GetHresult() >= 0 {
		return nil
	}
	parts := []string{what + " failed in MXAccess"}
	text := reply.GetDiagnosticMessage()
	if text == "" {
		text = reply.GetProtocolStatus().GetMessage()
	}
	if reply.Hresult != nil {
		if reply.GetHresult() != 0 {
			parts = append(parts, "HRESULT "+hresultText(reply.GetHresult()))
		}
		if text == hresultText(reply.GetHresult()) {
			text = ""
		}
		for _, meaning := range hresultMeanings {
			if meaning.method == what && meaning.hresult == reply.GetHresult() {
				text = meaning.text
			}
		}
	}
	message := strings.Join(append(parts, failed...), ", ")
	if text != "" {
		message += ": " + text
	}
	err := newError(KindMxAccess, message)
	err.HResult, err.Statuses, err.Reply = reply.Hresult, reply.GetStatuses(), reply
	err.ProtocolStatus, err.CorrelationID = reply.GetProtocolStatus(), reply.GetCorrelationId()
	return err
}

func hresultText(hresult int32) string { return fmt.Sprintf("0x%08X", uint32(hresult)) }

func missingPayload(reply *pb.MxCommandReply, arm string) error {
	err := newError(KindProtocol, "the reply carries no "+arm+" payload although the command succeeded")
	err.Reply, err.ProtocolStatus, err.CorrelationID = reply, reply.GetProtocolStatus(), reply.GetCorrelationId()
	return err
}

func wrongCount(reply *pb.MxCommandReply, what string, got, want int) error {
	err := newError(KindProtocol, fmt.Sprintf("%s: the reply has %d results for %d entries", what, got, want))
	err.Reply, err.ProtocolStatus, err.CorrelationID = reply, reply.GetProtocolStatus(), reply.GetCorrelationId()
	return err
}

func checkVersions(reply *pb.OpenSessionReply) error {
	newest := reply.GetGatewayProtocolVersion()
	oldest := reply.GetMinimumClientProtocolVersion()
	if oldest == 0 {
		oldest = newest
	}
	if oldest <= GatewayProtocolVersion && GatewayProtocolVersion <= newest {
		return nil
	}
	spoken := fmt.Sprint(newest)
	if oldest != newest {
		spoken = fmt.Sprintf("%d and serves clients from %d on", newest, oldest)
	}
	err := newError(KindProtocol, fmt.Sprintf(
		"the gateway speaks protocol version %s, this client %d; install the client version that belongs to the gateway",
		spoken, GatewayProtocolVersion))
	err.Reply, err.ProtocolStatus = reply, reply.GetProtocolStatus()
	return err
}

// arm is the payload's field of a command, for example "write"; empty for none.
func arm(command *pb.MxCommand) string {
	if command == nil {
		return ""
	}
	message := command.ProtoReflect()
	field := message.WhichOneof(message.Descriptor().Oneofs().ByName("payload"))
	if field == nil {
		return ""
	}
	return string(field.Name())
}

// newCommand is the command of a payload; the kind is the one that belongs to the arm.
func newCommand(name string, payload proto.Message) *pb.MxCommand {
	command := &pb.MxCommand{Kind: pb.MxCommandKind(pb.MxCommandKind_value["MX_COMMAND_KIND_"+strings.ToUpper(name)])}
	message := command.ProtoReflect()
	message.Set(message.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOfMessage(payload.ProtoReflect()))
	return command
}

// methodName is the method of a command as MXAccess calls it, for texts.
func methodName(command *pb.MxCommand) string {
	if name := methodOfCommand[arm(command)]; name != "" {
		return name
	}
	return fmt.Sprintf("command %d", int32(command.GetKind()))
}

// NewCommand is the command of a generated payload; name is its field in MxCommand, for example "write".
func NewCommand(name string, payload proto.Message) *pb.MxCommand { return newCommand(name, payload) }
