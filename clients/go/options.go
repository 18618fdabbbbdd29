package mxgateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// RetryPolicy says when and how a failed call is repeated. Only calls that change nothing ever are: pings, reads of
// state, read_bulk, Galaxy, closing a session; never a write, a subscription, a session's opening, nor a call whose
// deadline was over.
type RetryPolicy struct {
	// MaxAttempts in all, the first included; at least 1.
	MaxAttempts int
	// InitialDelay before the second attempt; each further one doubles up to MaxDelay. The true delay is drawn evenly
	// between 0 and that, but is never shorter than what the gateway asks for.
	InitialDelay, MaxDelay time.Duration
}

// DefaultRetryPolicy is four attempts within 0.1 s to 5 s.
var DefaultRetryPolicy = RetryPolicy{MaxAttempts: 4, InitialDelay: 100 * time.Millisecond, MaxDelay: 5 * time.Second}

type options struct {
	endpoint         string
	host             string
	keyFunc          func(context.Context) (string, error)
	key              string
	plaintext        bool
	caFile           string
	clientCert       string
	clientKey        string
	roots            *x509.CertPool
	serverName       string
	connectTimeout   time.Duration
	callTimeout      time.Duration
	streamTimeout    time.Duration
	shutdownTimeout  time.Duration
	maxMessageBytes  int
	keepaliveTime    time.Duration
	keepaliveTimeout time.Duration
	retry            *RetryPolicy
	logger           *slog.Logger
	problems         []error
}

// Option changes how a gateway is reached.
type Option func(*options)

// WithAPIKey sends the key, mxgw_<id>_<secret>, with every call. It is never part of any text.
func WithAPIKey(key string) Option {
	return func(o *options) {
		o.key = key
		if err := checkKey(key); err != nil {
			o.problems = append(o.problems, err)
		}
	}
}

// WithKeyFunc asks for the key before every call, so that it may change while the client lives.
func WithKeyFunc(key func(context.Context) (string, error)) Option {
	return func(o *options) { o.keyFunc = key }
}

// WithPlaintext is an unencrypted channel. TLS is the default, and nothing else ever switches it off.
func WithPlaintext() Option { return func(o *options) { o.plaintext = true } }

// WithCAFile trusts the authorities of a PEM file in place of the system's, for example the gateway's gateway-ca.pem.
func WithCAFile(path string) Option { return func(o *options) { o.caFile = path } }

// WithClientCertificate shows a certificate to a gateway that asks for one: PEM files, the key without a pass phrase.
func WithClientCertificate(certificateFile, keyFile string) Option {
	return func(o *options) { o.clientCert, o.clientKey = certificateFile, keyFile }
}

// WithRootCAs trusts these authorities in place of the system's.
func WithRootCAs(roots *x509.CertPool) Option { return func(o *options) { o.roots = roots } }

// WithServerName expects this name in the certificate in place of the endpoint's host, for tests.
func WithServerName(name string) Option { return func(o *options) { o.serverName = name } }

// WithConnectTimeout limits Connect; 10 s by default.
func WithConnectTimeout(limit time.Duration) Option {
	return positive("connect_timeout", limit, func(o *options) { o.connectTimeout = limit })
}

// WithCallTimeout is the deadline of each unary call; 30 s by default.
func WithCallTimeout(limit time.Duration) Option {
	return positive("call_timeout", limit, func(o *options) { o.callTimeout = limit })
}

// WithStreamTimeout is the deadline of streams; none by default.
func WithStreamTimeout(limit time.Duration) Option {
	return positive("stream_timeout", limit, func(o *options) { o.streamTimeout = limit })
}

// WithShutdownTimeout is how long closing a session may take, apart from the call timeout; 10 s by default.
func WithShutdownTimeout(limit time.Duration) Option {
	return positive("shutdown_timeout", limit, func(o *options) { o.shutdownTimeout = limit })
}

// WithMaxMessageBytes is the longest message, both ways; 16 MiB by default, as in the gateway.
func WithMaxMessageBytes(size int) Option {
	return func(o *options) {
		o.maxMessageBytes = size
		if size <= 0 {
			o.problems = append(o.problems, argumentError("max_message_bytes", "max_message_bytes is %d, but needs to be positive", size))
		}
	}
}

// WithKeepalive asks after so long without traffic whether the gateway is still there, while a call is under way, and
// gives up when there is no answer in time; 30 s and 10 s by default. Below 10 s gRPC raises the first by itself. A
// time of 0 switches it off.
func WithKeepalive(every, timeout time.Duration) Option {
	return func(o *options) {
		o.keepaliveTime, o.keepaliveTimeout = every, timeout
		if every < 0 || timeout <= 0 {
			o.problems = append(o.problems, argumentError("keepalive", "keepalive_time %v and keepalive_timeout %v need to be positive", every, timeout))
		}
	}
}

// WithRetry repeats failed calls that change nothing. Without it nothing is ever repeated.
func WithRetry(policy RetryPolicy) Option {
	return func(o *options) {
		o.retry = &policy
		if policy.MaxAttempts < 1 {
			o.problems = append(o.problems, argumentError("max_attempts", "max_attempts is %d, but at least one attempt is needed", policy.MaxAttempts))
		}
		if policy.InitialDelay < 0 || policy.MaxDelay < policy.InitialDelay {
			o.problems = append(o.problems, argumentError("delays", "delays need 0 <= initial_delay <= max_delay"))
		}
	}
}

// WithLogger tells of what no caller learns otherwise, such as a session that could not be closed; never a secret.
func WithLogger(logger *slog.Logger) Option { return func(o *options) { o.logger = logger } }

func positive(name string, limit time.Duration, set Option) Option {
	return func(o *options) {
		set(o)
		if limit <= 0 {
			o.problems = append(o.problems, argumentError(name, "%s is %v, but needs to be a positive time", name, limit))
		}
	}
}

func newOptions(endpoint string, given []Option) (*options, error) {
	o := &options{
		endpoint: endpoint, connectTimeout: 10 * time.Second, callTimeout: 30 * time.Second,
		shutdownTimeout: 10 * time.Second, maxMessageBytes: MaxMessageBytes, keepaliveTime: 30 * time.Second,
		keepaliveTimeout: 10 * time.Second, logger: slog.New(slog.DiscardHandler),
	}
	for _, option := range given {
		option(o)
	}
	if len(o.problems) > 0 {
		return nil, o.problems[0]
	}
	host, err := checkEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	o.host = host
	for name, is := range map[string]bool{
		"ca_file": o.caFile != "" || o.roots != nil, "server_name_override": o.serverName != "",
		"client_certificate_file": o.clientCert != "", "client_key_file": o.clientKey != "",
	} {
		if is && o.plaintext {
			return nil, argumentError(name, "plaintext excludes %s: it is an option of TLS", name)
		}
	}
	if (o.clientCert == "") != (o.clientKey == "") {
		return nil, argumentError("client_certificate_file", "client_certificate_file and client_key_file belong together: give both, or neither")
	}
	return o, nil
}

// String tells how the gateway is reached, and never the key.
func (o *options) String() string {
	return fmt.Sprintf("gateway %s, plaintext %t", o.endpoint, o.plaintext)
}

// GoString is String, so that no verb of fmt shows the key.
func (o *options) GoString() string { return o.String() }

func (o *options) apiKey(ctx context.Context) (string, error) {
	if o.keyFunc == nil {
		return o.key, nil
	}
	key, err := o.keyFunc(ctx)
	if err != nil {
		return "", fmt.Errorf("the key function failed: %w", err)
	}
	return key, checkKey(key)
}

func (o *options) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{RootCAs: o.roots, ServerName: o.serverName, MinVersion: tls.VersionTLS12}
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, argumentError("ca_file", "ca_file cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, argumentError("ca_file", "ca_file %q holds no PEM certificate", o.caFile)
		}
	}
	if o.clientCert != "" {
		pair, err := tls.LoadX509KeyPair(o.clientCert, o.clientKey)
		if err != nil {
			return nil, argumentError("client_certificate_file", "client_certificate_file and client_key_file cannot be used: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func checkEndpoint(endpoint string) (string, error) {
	if strings.Contains(endpoint, "://") {
		return "", argumentError("endpoint", "endpoint %q has a scheme; give host:port, and WithPlaintext for no TLS", endpoint)
	}
	colon := strings.LastIndexByte(endpoint, ':')
	host := endpoint[:max(colon, 0)]
	isV6 := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	if colon < 1 || (strings.Contains(host, ":") && !isV6) || strings.ContainsAny(host, "/ ") {
		return "", argumentError("endpoint", "endpoint %q is not host:port, for example localhost:5001 or [::1]:5001", endpoint)
	}
	port, err := strconv.Atoi(endpoint[colon+1:])
	if err != nil || port < 1 || port > 65535 {
		return "", argumentError("endpoint", "endpoint %q has no port between 1 and 65535", endpoint)
	}
	return strings.Trim(host, "[]"), nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return argumentError("api_key", "api_key is empty; leave it out to call without a key")
	case key != strings.TrimSpace(key):
		return argumentError("api_key", "api_key has white space at its start or end; strip the line end when reading it from a file")
	}
	for _, letter := range key {
		if letter > unicode.MaxASCII || !unicode.IsPrint(letter) {
			return argumentError("api_key", "api_key holds characters that a gRPC header cannot carry")
		}
	}
	return nil
}

// target is the name that gRPC resolves: addresses as they are, names by DNS.
func (o *options) target() string {
	if net.ParseIP(o.host) != nil {
		return "passthrough:///" + o.endpoint
	}
	return "dns:///" + o.endpoint
}

func seconds(limit float64) (time.Duration, bool) {
	if math.IsNaN(limit) || limit > float64(math.MaxInt64)/1e9 || limit < -float64(math.MaxInt64)/1e9 {
		return 0, false
	}
	return time.Duration(math.Round(limit * 1e9)), true
}
