package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	mxgateway "mxaccess-gateway.example/clients/go"
	"mxaccess-gateway.example/clients/go/internal/clitext"
	"mxaccess-gateway.example/clients/go/internal/jsontext"
)

const defaultTimeout = 30 * time.Second

// run is one invocation.
type run struct {
	*program
	ctx       context.Context
	command   *command
	given     values
	secrets   []string
	keySource string
}

// work is what a command does with a client.
type work func(*run, context.Context, *mxgateway.Client) error

// streams are commands that run until they are stopped: --timeout bounds their single calls only.
var streams = map[string]bool{
	"stream-events": true, "galaxy-watch": true, "stream-alarms": true, "bench-read-bulk": true, "bench-stream-events": true,
}

func (r *run) do() error {
	if r.command.name == "version" {
		return r.version()
	}
	job, known := works[r.command.name]
	if !known {
		return usage("%s is not implemented", r.command.name)
	}
	client, err := r.client()
	if err != nil {
		return err
	}
	ctx := r.ctx
	if !streams[r.command.name] {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.timeout())
		defer cancel()
	}
	err = job(r, ctx, client)
	if err == nil || r.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, mxgateway.ErrTimeout) && ctx.Err() != nil && r.ctx.Err() == nil {
		return fmt.Errorf("the command did not end within %v (--timeout)", r.timeout())
	}
	return err
}

func (r *run) timeout() time.Duration {
	if r.given.flag("timeout") {
		return duration(r.given.number("timeout"))
	}
	return defaultTimeout
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// client is the gateway that the options name; the lines of a batch share it.
func (r *run) client() (*mxgateway.Client, error) {
	endpoint, options, err := r.options()
	if err != nil {
		return nil, err
	}
	shared := fmt.Sprint(endpoint, r.given.texts["api-key"], r.given.texts["api-key-env"], r.given.given["plaintext"], r.given.texts["ca-file"],
		r.given.texts["client-cert"], r.given.texts["server-name-override"], r.given.texts["timeout"], r.given.texts["shutdown-timeout"])
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.clients[shared]; found != nil {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.timeout())
	defer cancel()
	client, err := mxgateway.Connect(ctx, endpoint, options...)
	if err != nil {
		var argument *mxgateway.ArgumentError
		if errors.As(err, &argument) {
			return nil, usageError{err}
		}
		return nil, err
	}
	if r.clients == nil {
		r.program.clients = map[string]*mxgateway.Client{}
	}
	r.program.clients[shared] = client
	return client, nil
}

func (r *run) options() (string, []mxgateway.Option, error) {
	v := r.given
	if v.flag("plaintext") && v.flag("tls") {
		return "", nil, usage("--plaintext and --tls exclude each other")
	}
	if v.flag("plaintext") && (v.flag("ca-file") || v.flag("client-cert") || v.flag("client-key") || v.flag("server-name-override")) {
		return "", nil, usage("--ca-file, --client-cert, --client-key and --server-name-override are TLS options; they exclude --plaintext")
	}
	if v.flag("api-key") && v.flag("api-key-env") {
		return "", nil, usage("give either --api-key or --api-key-env")
	}
	endpoint := v.text("endpoint")
	options := []mxgateway.Option{
		mxgateway.WithCallTimeout(r.timeout()), mxgateway.WithShutdownTimeout(duration(v.number("shutdown-timeout"))),
	}
	if v.flag("plaintext") {
		options = append(options, mxgateway.WithPlaintext())
	}
	if endpoint == "" {
		endpoint = "localhost:5001"
		if v.flag("plaintext") {
			endpoint = "localhost:5000"
		}
	}
	switch {
	case v.flag("api-key"):
		r.keySource, r.secrets = "--api-key", append(r.secrets, v.text("api-key"))
		options = append(options, mxgateway.WithAPIKey(v.text("api-key")))
	case v.flag("api-key-env"):
		key, set := r.getenv(v.text("api-key-env"))
		if !set || key == "" {
			return "", nil, usage("the environment variable %s (--api-key-env) is not set; set it to the API key", v.text("api-key-env"))
		}
		r.keySource, r.secrets = "environment variable "+v.text("api-key-env"), append(r.secrets, key)
		options = append(options, mxgateway.WithAPIKey(key))
	}
	for _, name := range []string{"ca-file", "client-cert", "client-key"} {
		if file := v.text(name); file != "" {
			if _, err := os.Stat(file); err != nil {
				return "", nil, usage("--%s %s does not exist", name, file)
			}
		}
	}
	if v.flag("ca-file") {
		options = append(options, mxgateway.WithCAFile(v.text("ca-file")))
	}
	if v.flag("client-cert") || v.flag("client-key") {
		options = append(options, mxgateway.WithClientCertificate(v.text("client-cert"), v.text("client-key")))
	}
	if v.flag("server-name-override") {
		options = append(options, mxgateway.WithServerName(v.text("server-name-override")))
	}
	return endpoint, options, nil
}

func (r *run) session(client *mxgateway.Client) *mxgateway.Session {
	return client.AttachSession(r.given.text("session-id"))
}

// ----------------------------------------------------------------------------------------------------------- output

// document prints one JSON document, or the lines.
func (r *run) document(document []byte, err error, lines ...string) error {
	if err != nil {
		return err
	}
	if !r.given.flag("json") {
		for _, line := range lines {
			fmt.Fprintln(r.stdout, clitext.Printable(line))
		}
		return nil
	}
	text, err := jsontext.Indented(document)
	if err != nil {
		return err
	}
	fmt.Fprintln(r.stdout, text)
	return nil
}

func (r *run) message(message proto.Message, lines ...string) error {
	document, err := jsontext.Message(message)
	return r.document(document, err, lines...)
}

func (r *run) fields(lines []string, fields ...jsontext.Field) error {
	document, err := jsontext.Document(fields...)
	return r.document(document, err, lines...)
}

// collected is what a stream gathers for --json, or what it prints as it comes.
func (r *run) line(message proto.Message, text string) error {
	if !r.given.flag("jsonl") {
		_, err := fmt.Fprintln(r.stdout, clitext.Printable(text))
		return errors.Join(err, r.stdout.Flush())
	}
	document, err := jsontext.Message(message)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(r.stdout, string(document))
	return errors.Join(err, r.stdout.Flush())
}

func (r *run) version() error {
	return r.fields(
		[]string{fmt.Sprintf("mxgw-go %s, gateway protocol %d, worker protocol %d", mxgateway.Version, mxgateway.GatewayProtocolVersion, mxgateway.WorkerProtocolVersion)},
		jsontext.Field{Key: "name", Value: "mxgw-go"}, jsontext.Field{Key: "version", Value: mxgateway.Version},
		jsontext.Field{Key: "gatewayProtocolVersion", Value: mxgateway.GatewayProtocolVersion},
		jsontext.Field{Key: "workerProtocolVersion", Value: mxgateway.WorkerProtocolVersion},
	)
}

// note tells of progress, so that stdout holds results only.
func (r *run) note(text string) {
	if r.captured == nil {
		fmt.Fprintln(r.stderr, clitext.Printable(text))
	}
}

func enumText(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", " ")
}
