package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"

	mxgateway "mxaccess-gateway.example/clients/go"
	pb "mxaccess-gateway.example/clients/go/gatewaypb"
	"mxaccess-gateway.example/clients/go/internal/clitext"
	"mxaccess-gateway.example/clients/go/internal/jsontext"
)

var pureOperations = map[string]func(arguments) (any, error){
	"version": func(arguments) (any, error) {
		return object{
			"client": mxgateway.Version, "gateway_protocol_version": mxgateway.GatewayProtocolVersion,
			"worker_protocol_version": mxgateway.WorkerProtocolVersion,
		}, nil
	},
	"new_correlation_ids": newIDs,
	"to_mx_value":         toMxValue,
	"from_mx_value": func(a arguments) (any, error) {
		value, err := parsed(a.MxValue, &pb.MxValue{})
		if err != nil {
			return nil, err
		}
		return object{"value": tagged(mxgateway.FromMxValue(value), value)}, nil
	},
	"is_status_failure": func(a arguments) (any, error) {
		found, err := parsed(a.Status, &pb.MxStatusProxy{})
		return object{"failure": mxgateway.IsStatusFailure(found)}, err
	},
	"quality": func(a arguments) (any, error) {
		return object{
			"name": mxgateway.QualityName(a.Quality), "good": mxgateway.IsGood(a.Quality),
			"uncertain": mxgateway.IsUncertain(a.Quality), "bad": mxgateway.IsBad(a.Quality),
		}, nil
	},
	"status_text": func(a arguments) (any, error) {
		found, err := parsed(a.Status, &pb.MxStatusProxy{})
		return object{"text": mxgateway.StatusText(found)}, err
	},
	"redact": func(a arguments) (any, error) { return object{"text": mxgateway.Redact(a.Text, a.Secret)}, nil },
	"map_error": func(a arguments) (any, error) {
		err := mapped(a)
		return errorOf(err), nil
	},
	"parse_time": func(a arguments) (any, error) {
		stamp, err := clitext.Time(a.Text)
		if err != nil {
			return object{"refused": true, "message": err.Error()}, nil
		}
		return object{"seconds": fmt.Sprint(stamp.GetSeconds()), "nanos": stamp.GetNanos()}, nil
	},
	"parse_value": func(a arguments) (any, error) {
		value, err := clitext.Value(a.Text, a.Type, "--value")
		if err != nil {
			return object{"refused": true, "message": err.Error()}, nil
		}
		return asJSON(value), nil
	},
	"split_line": func(a arguments) (any, error) {
		found, err := clitext.SplitLine(a.Line)
		if err != nil {
			return object{"refused": true}, nil
		}
		return object{"arguments": found}, nil
	},
	"percentiles": func(a arguments) (any, error) { return clitext.Percentiles(a.Samples), nil },
	"to_json":     toDocument,
}

func newIDs(a arguments) (any, error) {
	seen, shortest := map[string]bool{}, 1<<20
	for range a.Count {
		id := mxgateway.NewCorrelationID()
		seen[id] = true
		shortest = min(shortest, len(id))
	}
	return object{"unique": len(seen), "shortest": shortest}, nil
}

func toMxValue(a arguments) (any, error) {
	value, err := native(a.Value)
	if err != nil {
		return nil, &mxgateway.ArgumentError{Argument: "value", Message: err.Error()}
	}
	return message(mxgateway.ToMxValue(value))
}

// mapped is what the library makes of a status.
func mapped(a arguments) error {
	var code codes.Code
	if err := json.Unmarshal([]byte(`"`+a.Code+`"`), &code); err != nil {
		return err
	}
	rich := &spb.Status{Code: int32(code), Message: a.Message}
	if a.DetailsB64 != "" {
		blob, err := base64.StdEncoding.DecodeString(a.DetailsB64)
		if err != nil {
			return err
		}
		other := &spb.Status{}
		if proto.Unmarshal(blob, other) == nil {
			rich.Details = other.GetDetails()
		}
	}
	found := status.FromProto(rich)
	if a.Reason != "" {
		found, _ = found.WithDetails(&errdetails.ErrorInfo{Reason: a.Reason, Domain: "mxaccess-gateway"})
	}
	if a.RetryAfter != nil {
		found, _ = found.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(seconds(a.RetryAfter))})
	}
	return mxgateway.MapStatus(found.Err(), "Call", a.CorrelationID, a.Galaxy)
}

func toDocument(a arguments) (any, error) {
	blob, err := base64.StdEncoding.DecodeString(a.Base64)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"mxaccess_gateway.v1." + a.Type, "galaxy_repository.v1." + a.Type} {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
		if err != nil {
			continue
		}
		made := kind.New().Interface()
		if err := proto.Unmarshal(blob, made); err != nil {
			return nil, err
		}
		text, err := jsontext.Message(made)
		return object{"json": json.RawMessage(text)}, err
	}
	return nil, errors.New("no message " + a.Type)
}
