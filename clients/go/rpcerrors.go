package mxgateway

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// hint is what a text of gRPC's means: a reason where the gateway sent none, and what to do.
type hint struct{ sign, reason, remedy string }

var hints = []hint{
	{"certificate has expired", "CERTIFICATE_EXPIRED", "the gateway's certificate has ended, or this machine's clock is wrong"},
	{"certificate signed by unknown authority", "CERTIFICATE_NOT_TRUSTED", "the CA file (WithCAFile, --ca-file) has to be the authority that signed this gateway's certificate"},
	{"certificate is not trusted", "CERTIFICATE_NOT_TRUSTED", "the CA file (WithCAFile, --ca-file) has to be the authority that signed this gateway's certificate"},
	{"x509: certificate is valid for", "CERTIFICATE_FOR_ANOTHER_NAME", "the certificate is for another name; use that name or server_name_override"},
	{"x509: cannot validate certificate for", "CERTIFICATE_FOR_ANOTHER_NAME", "the certificate is for another name; use that name or server_name_override"},
	{"certificate required", "CLIENT_CERTIFICATE_REQUIRED", "this gateway wants a client certificate (WithClientCertificate, --client-cert, --client-key)"},
	{"first record does not look like a TLS handshake", "NOT_TLS", "the port does not speak TLS; ask for plaintext by name (WithPlaintext, --plaintext)"},
	{"larger than max", "MESSAGE_TOO_LARGE", "the limit of a message: ask for less at once, or raise max_message_bytes here and in the gateway"},
	{"connection refused", "CONNECTION_REFUSED", "nothing listens there; is the gateway running, and is this its port?"},
}

var maybeTLS = hint{"", "TLS_EXPECTED", "the port may speak TLS: leave out plaintext (--plaintext) and give ca_file (--ca-file)"}

const (
	noKey      = "no key was sent; give WithAPIKey (--api-key-env)"
	keyRefused = "a key was sent, but this gateway does not know it, or it was revoked or is not valid now"
)

// rpcCall is what a call was, for its error.
type rpcCall struct {
	what          string
	correlationID string
	galaxy        bool
	key           string
	plaintext     bool
	connecting    bool
}

// mapRPC is the error of this package for a failed gRPC call of a caller whose context still lives.
func (c rpcCall) mapRPC(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	found, _ := status.FromError(err)
	if found == nil {
		found = status.New(codes.Unknown, err.Error())
	}
	code := found.Code()
	details := Redact(found.Message(), c.key)
	reason, retry := richDetails(found)
	mapped := newError(kindOf(code, reason, c.galaxy), "")
	known := findHint(details)
	if known == nil && c.connecting && c.plaintext && code == codes.Unavailable {
		known = &maybeTLS
	}
	text := c.what + ": " + codeName(code)
	if known != nil {
		text += " (" + known.remedy + ")"
	}
	if details != "" {
		text += ": " + details
	}
	if code == codes.Unauthenticated {
		text += " (" + noKey + ")"
		if c.key != "" {
			text = strings.TrimSuffix(text, noKey+")") + keyRefused + ")"
		}
	}
	mapped.Message, mapped.Reason, mapped.Code, mapped.CorrelationID = redactText(text), reason, code, c.correlationID
	if retry != nil {
		mapped.RetryAfter = retry.GetRetryDelay().AsDuration()
	}
	if reason == "" && known != nil {
		mapped.Reason = known.reason
	}
	// Too large once is too large always.
	if code == codes.ResourceExhausted && strings.Contains(details, "larger than max") {
		mapped.Retryable = false
	}
	mapped.cause = safeCause{code: code, text: details}
	return mapped
}

// safeCause is what gRPC said, without secrets.
type safeCause struct {
	code codes.Code
	text string
}

func (c safeCause) Error() string {
	return "rpc error: code = " + codeName(c.code) + " desc = " + c.text
}

func (c safeCause) GRPCStatus() *status.Status { return status.New(c.code, c.text) }

func findHint(details string) *hint {
	lower := strings.ToLower(details)
	for index := range hints {
		if strings.Contains(lower, strings.ToLower(hints[index].sign)) {
			return &hints[index]
		}
	}
	return nil
}

func richDetails(found *status.Status) (string, *errdetails.RetryInfo) {
	var reason string
	var retry *errdetails.RetryInfo
	for _, detail := range found.Details() {
		switch part := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = part.GetReason()
		case *errdetails.RetryInfo:
			retry = part
		}
	}
	return reason, retry
}

// kindOfReason is the kind that the gateway's word names; 0 when it leaves the choice to the status.
func kindOfReason(reason string) Kind {
	if strings.HasPrefix(reason, workerReasonPrefix) {
		return KindWorker
	}
	return kindByReason[reason]
}

func kindOf(code codes.Code, reason string, galaxy bool) Kind {
	if kind := kindOfReason(reason); kind != 0 {
		return kind
	}
	if kind := kindByCode[code]; kind != 0 {
		return kind
	}
	byService := kindOfGateway
	if galaxy {
		byService = kindOfGalaxy
	}
	if kind := byService[code]; kind != 0 {
		return kind
	}
	return KindTransport
}

// failed maps what a call gave: the caller's own end first, then what gRPC says.
func (c rpcCall) failed(ctx context.Context, err error) error {
	if gone := callerGone(ctx, c.what, c.correlationID); gone != nil {
		return gone
	}
	return c.mapRPC(err)
}

// hasProtocolStatus is every reply of the gateway's.
type hasProtocolStatus interface {
	proto.Message
	GetProtocolStatus() *pb.ProtocolStatus
}

// MapStatus is the error of this package for what gRPC gave: for callers of the generated stubs.
//
// what names the call, galaxy tells whether it was one of the Galaxy service.
func MapStatus(err error, what, correlationID string, galaxy bool) error {
	if err == nil {
		return nil
	}
	return rpcCall{what: what, correlationID: correlationID, galaxy: galaxy}.mapRPC(err)
}
