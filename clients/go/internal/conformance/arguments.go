package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	mxgateway "mxaccess-gateway.example/clients/go"
	pb "mxaccess-gateway.example/clients/go/gatewaypb"
	"mxaccess-gateway.example/clients/go/internal/clitext"
)

// arguments are those of all operations.
type arguments struct {
	ID any `json:"id"`

	Endpoint           string   `json:"endpoint"`
	APIKey             *string  `json:"api_key"`
	Plaintext          bool     `json:"plaintext"`
	CAFile             string   `json:"ca_file"`
	ServerNameOverride string   `json:"server_name_override"`
	ConnectTimeout     *float64 `json:"connect_timeout"`
	CallTimeout        *float64 `json:"call_timeout"`
	StreamTimeout      *float64 `json:"stream_timeout"`
	ShutdownTimeout    *float64 `json:"shutdown_timeout"`
	MaxMessageBytes    *int     `json:"max_message_bytes"`
	KeepaliveTime      *float64 `json:"keepalive_time"`
	KeepaliveTimeout   *float64 `json:"keepalive_timeout"`
	Retry              *struct {
		MaxAttempts  *int     `json:"max_attempts"`
		InitialDelay *float64 `json:"initial_delay"`
		MaxDelay     *float64 `json:"max_delay"`
	} `json:"retry"`

	Timeout       *float64 `json:"timeout"`
	CorrelationID string   `json:"correlation_id"`

	ClientSessionName  string            `json:"client_session_name"`
	RequestedBackend   string            `json:"requested_backend"`
	CommandTimeout     *float64          `json:"command_timeout"`
	BackendOptions     map[string]string `json:"backend_options"`
	BackpressurePolicy string            `json:"backpressure_policy"`
	SessionID          string            `json:"session_id"`
	Capabilities       []string          `json:"capabilities"`

	Request json.RawMessage `json:"request"`
	Command json.RawMessage `json:"command"`

	Message     string            `json:"message"`
	MaxEvents   int64             `json:"max_events"`
	GracePeriod *float64          `json:"grace_period"`
	Fault       string            `json:"fault"`
	Parameters  map[string]string `json:"parameters"`

	ClientName        string          `json:"client_name"`
	ServerHandle      int32           `json:"server_handle"`
	ItemHandle        int32           `json:"item_handle"`
	ItemHandles       []int32         `json:"item_handles"`
	ItemDefinition    string          `json:"item_definition"`
	ItemContext       string          `json:"item_context"`
	UpdateInterval    int32           `json:"update_interval_milliseconds"`
	Value             json.RawMessage `json:"value"`
	Timestamp         string          `json:"timestamp"`
	UserID            int32           `json:"user_id"`
	CurrentUserID     int32           `json:"current_user_id"`
	VerifierUserID    int32           `json:"verifier_user_id"`
	VerifierID        *int32          `json:"verifier_id"`
	VerifyUser        string          `json:"verify_user"`
	VerifyUserPass    string          `json:"verify_user_password"`
	UserIDGUID        string          `json:"user_id_guid"`
	Tag               string          `json:"tag"`
	Tags              []string        `json:"tags"`
	TagAddresses      []string        `json:"tag_addresses"`
	TimeoutMs         *float64        `json:"timeout_ms"`
	Entries           []entry         `json:"entries"`
	Supervisory       bool            `json:"supervisory"`
	AfterSequence     string          `json:"after_worker_sequence"`
	FromBeginning     bool            `json:"from_beginning"`
	Count             int             `json:"count"`
	AtOnce            int             `json:"at_once"`
	RecoverGaps       bool            `json:"recover_gaps"`
	ClientHandle      *uint32         `json:"client_handle"`
	ClientHandles     []uint32        `json:"client_handles"`
	Discard           bool            `json:"discard"`
	QueueSize         *int            `json:"queue_size"`
	Overflow          string          `json:"overflow"`
	Reconnect         *bool           `json:"reconnect"`
	FirstDelay        *float64        `json:"first_delay"`
	State             string          `json:"state"`
	Parent            string          `json:"parent"`
	Root              string          `json:"root"`
	RootContainedPath string          `json:"root_contained_path"`
	MaxDepth          *int32          `json:"max_depth"`
	CategoryIDs       []int32         `json:"category_ids"`
	TemplateChain     []string        `json:"template_chain_contains"`
	TagNameGlob       string          `json:"tag_name_glob"`
	IncludeAttributes *bool           `json:"include_attributes"`
	AlarmBearingOnly  bool            `json:"alarm_bearing_only"`
	HistorizedOnly    bool            `json:"historized_only"`
	Index             int             `json:"index"`
	Times             int             `json:"times"`
	LastSeen          string          `json:"last_seen_deploy_time"`

	DataType   string          `json:"data_type"`
	MxValue    json.RawMessage `json:"mx_value"`
	Status     json.RawMessage `json:"status"`
	Quality    int32           `json:"quality"`
	Text       string          `json:"text"`
	Secret     string          `json:"secret"`
	Code       string          `json:"code"`
	Reason     string          `json:"reason"`
	RetryAfter *float64        `json:"retry_after"`
	Galaxy     bool            `json:"galaxy"`
	DetailsB64 string          `json:"details_base64"`
	Type       string          `json:"type"`
	Line       string          `json:"line"`
	Samples    []float64       `json:"samples"`
	Base64     string          `json:"base64"`
}

type entry struct {
	ItemHandle     int32           `json:"item_handle"`
	Value          json.RawMessage `json:"value"`
	Timestamp      string          `json:"timestamp"`
	UserID         int32           `json:"user_id"`
	CurrentUserID  int32           `json:"current_user_id"`
	VerifierUserID int32           `json:"verifier_user_id"`
}

func (a arguments) options() []mxgateway.Option {
	var options []mxgateway.Option
	if a.APIKey != nil {
		options = append(options, mxgateway.WithAPIKey(*a.APIKey))
	}
	if a.Plaintext {
		options = append(options, mxgateway.WithPlaintext())
	}
	if a.CAFile != "" {
		options = append(options, mxgateway.WithCAFile(a.CAFile))
	}
	if a.ServerNameOverride != "" {
		options = append(options, mxgateway.WithServerName(a.ServerNameOverride))
	}
	for limit, option := range map[*float64]func(time.Duration) mxgateway.Option{
		a.ConnectTimeout: mxgateway.WithConnectTimeout, a.CallTimeout: mxgateway.WithCallTimeout,
		a.StreamTimeout: mxgateway.WithStreamTimeout, a.ShutdownTimeout: mxgateway.WithShutdownTimeout,
	} {
		if limit != nil {
			options = append(options, option(seconds(limit)))
		}
	}
	if a.MaxMessageBytes != nil {
		options = append(options, mxgateway.WithMaxMessageBytes(*a.MaxMessageBytes))
	}
	if a.KeepaliveTime != nil {
		timeout := 10 * time.Second
		if a.KeepaliveTimeout != nil {
			timeout = seconds(a.KeepaliveTimeout)
		}
		options = append(options, mxgateway.WithKeepalive(seconds(a.KeepaliveTime), timeout))
	}
	if a.Retry != nil {
		policy := mxgateway.DefaultRetryPolicy
		if a.Retry.MaxAttempts != nil {
			policy.MaxAttempts = *a.Retry.MaxAttempts
		}
		if a.Retry.InitialDelay != nil {
			policy.InitialDelay = seconds(a.Retry.InitialDelay)
		}
		if a.Retry.MaxDelay != nil {
			policy.MaxDelay = seconds(a.Retry.MaxDelay)
		}
		options = append(options, mxgateway.WithRetry(policy))
	}
	return options
}

func (a arguments) call() []mxgateway.CallOption {
	var options []mxgateway.CallOption
	if a.Timeout != nil {
		options = append(options, mxgateway.Timeout(seconds(a.Timeout)))
	}
	if a.CorrelationID != "" {
		options = append(options, mxgateway.CorrelationID(a.CorrelationID))
	}
	if a.ClientHandle != nil {
		options = append(options, mxgateway.ClientHandles(*a.ClientHandle))
	}
	if len(a.ClientHandles) > 0 {
		options = append(options, mxgateway.ClientHandles(a.ClientHandles...))
	}
	return options
}

func (a arguments) filter() mxgateway.Filter {
	filter := mxgateway.Filter{
		Root: a.Root, RootPath: a.RootContainedPath, MaxDepth: a.MaxDepth, CategoryIDs: a.CategoryIDs,
		TemplateChainContains: a.TemplateChain, TagNameGlob: a.TagNameGlob,
		WithoutAttributes: a.IncludeAttributes != nil && !*a.IncludeAttributes,
		AlarmBearingOnly:  a.AlarmBearingOnly, HistorizedOnly: a.HistorizedOnly,
	}
	if a.Parent != "" {
		filter.Root = a.Parent
	}
	return filter
}

// ---------------------------------------------------------------------------------------------------- native values

// native is the Go value of a tagged one.
func native(document json.RawMessage) (any, error) {
	var tagged map[string]json.RawMessage
	if err := json.Unmarshal(document, &tagged); err != nil {
		return nil, err
	}
	for kind, given := range tagged {
		switch kind {
		case "mx_value":
			return parsed(given, &pb.MxValue{})
		case "null":
			return nil, nil
		case "array":
			var array struct {
				Type   string            `json:"type"`
				Values []json.RawMessage `json:"values"`
			}
			if err := json.Unmarshal(given, &array); err != nil {
				return nil, err
			}
			return elements(array.Type, array.Values)
		}
		return scalar(kind, given)
	}
	return nil, fmt.Errorf("no value")
}

func elements(kind string, values []json.RawMessage) (any, error) {
	if len(values) == 0 {
		return map[string]any{
			"bool": []bool{}, "int32": []int32{}, "int64": []int64{}, "float": []float32{}, "double": []float64{},
			"string": []string{}, "timestamp": []time.Time{}, "elapsed": []mxgateway.Elapsed{}, "raw": [][]byte{},
		}[kind], nil
	}
	made := make([]any, len(values))
	for index, each := range values {
		var rows []json.RawMessage
		var err error
		if json.Unmarshal(each, &rows) == nil && string(each) != "null" {
			made[index], err = elements(kind, rows)
		} else if string(each) != "null" {
			made[index], err = scalar(kind, each)
		}
		if err != nil {
			return nil, err
		}
	}
	return made, nil
}

func scalar(kind string, given json.RawMessage) (any, error) {
	var text string
	isText := json.Unmarshal(given, &text) == nil
	switch kind {
	case "bool":
		var value bool
		return value, decode(given, &value, func() any { return value })
	case "int32":
		var value int32
		err := json.Unmarshal(given, &value)
		return value, err
	case "int64":
		return strconv.ParseInt(text, 10, 64)
	case "float", "double", "elapsed":
		var number float64
		if isText {
			number = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[text]
		} else if err := json.Unmarshal(given, &number); err != nil {
			return nil, err
		}
		switch kind {
		case "float":
			return float32(number), nil
		case "elapsed":
			return mxgateway.Elapsed(number), nil
		}
		return number, nil
	case "string":
		return text, nil
	case "timestamp":
		return time.Parse(time.RFC3339Nano, text)
	case "raw":
		return base64.StdEncoding.DecodeString(text)
	}
	return nil, fmt.Errorf("no value %s", kind)
}

func decode(given json.RawMessage, into any, _ func() any) error { return json.Unmarshal(given, into) }

// tagged is a Go value by its type.
func tagged(value any, mx *pb.MxValue) object {
	switch given := value.(type) {
	case nil:
		return object{"null": true}
	case mxgateway.Opaque:
		return object{"opaque": true}
	case mxgateway.OutOfRange:
		return standIn(given)
	case bool:
		return object{"bool": given}
	case int32:
		return object{"int32": given}
	case int64:
		return object{"int64": strconv.FormatInt(given, 10)}
	case float32:
		return object{"float": number(float64(given))}
	case float64:
		return object{"double": number(given)}
	case string:
		return object{"string": given}
	case time.Time:
		return object{"timestamp": momentText(given)}
	case time.Duration:
		return object{"elapsed": given.Seconds()}
	case []byte:
		return object{"raw": base64.StdEncoding.EncodeToString(given)}
	case map[uint32]any:
		sparse := object{}
		for index, each := range given {
			sparse[strconv.FormatUint(uint64(index), 10)] = shown(each)
		}
		return object{"sparse": sparse}
	}
	kind := ""
	if array := mx.GetArrayValue(); array != nil {
		message := array.ProtoReflect()
		if field := message.WhichOneof(message.Descriptor().Oneofs().ByName("values")); field != nil {
			name := string(field.Name())
			kind = name[:len(name)-len("_values")]
		}
	}
	return object{"array": object{"type": kind, "values": shown(value)}}
}

// momentText has microseconds, as the suite shows times.
func momentText(moment time.Time) string { return moment.UTC().Format("2006-01-02T15:04:05.000000Z") }

func number(value float64) any {
	switch {
	case math.IsNaN(value):
		return "NaN"
	case math.IsInf(value, 1):
		return "Infinity"
	case math.IsInf(value, -1):
		return "-Infinity"
	}
	return value
}

func shown(value any) any {
	switch given := value.(type) {
	case []any:
		return each(given)
	case []bool:
		return each(given)
	case []int32:
		return each(given)
	case []int64:
		return each(given)
	case []float32:
		return each(given)
	case []float64:
		return each(given)
	case []string:
		return each(given)
	case [][]byte:
		return each(given)
	case float32:
		return number(float64(given))
	case float64:
		return number(given)
	case time.Time:
		return momentText(given)
	case time.Duration:
		return given.Seconds()
	case mxgateway.OutOfRange:
		return standIn(given)
	case []byte:
		return base64.StdEncoding.EncodeToString(given)
	}
	return value
}

func each[T any](values []T) []any {
	made := make([]any, len(values))
	for index, value := range values {
		made[index] = shown(value)
	}
	return made
}

func momentOf(text string) (any, error) {
	stamp, err := clitext.Time(text)
	if err != nil {
		return nil, err
	}
	return clitext.Moment(stamp), nil
}

func standIn(value mxgateway.OutOfRange) object {
	if value.Time != nil {
		return object{"out_of_range": object{"seconds": strconv.FormatInt(value.Time.GetSeconds(), 10), "nanos": value.Time.GetNanos()}}
	}
	return object{"out_of_range": object{"elapsed": number(value.Seconds)}}
}
