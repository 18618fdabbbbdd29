// Command mxgw-go is AVEVA System Platform tags from a terminal, through an MXAccess gateway.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	mxgateway "mxaccess-gateway.example/clients/go"
	"mxaccess-gateway.example/clients/go/internal/clitext"
)

const (
	exitDone        = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
	exitTerminated  = 143
)

func main() {
	p := &program{stdin: os.Stdin, stdout: bufio.NewWriter(os.Stdout), stderr: os.Stderr, getenv: os.LookupEnv}
	ctx, stop := p.signals()
	code := p.execute(ctx, os.Args[1:])
	stop()
	p.close()
	if p.stdout.Flush() != nil && code == exitDone {
		code = exitFailure
	}
	os.Exit(code)
}

// program is one run, or the lines of one batch: its clients outlive a line.
type program struct {
	stdin    io.Reader
	stdout   *bufio.Writer
	stderr   io.Writer
	getenv   func(string) (string, bool)
	signal   atomic.Int32
	clients  map[string]*mxgateway.Client
	mu       sync.Mutex
	inBatch  bool
	captured *strings.Builder
}

// signals gives a context that the first signal ends; those that follow within half a second are that one.
func (p *program) signals() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	came := make(chan os.Signal, 4)
	signal.Notify(came, os.Interrupt, syscall.SIGTERM)
	go func() {
		var first time.Time
		for each := range came {
			switch {
			case first.IsZero():
				first = time.Now()
				if number, ok := each.(syscall.Signal); ok {
					p.signal.Store(int32(number))
				}
				cancel()
			case time.Since(first) > 500*time.Millisecond:
				os.Exit(exitInterrupted)
			}
		}
	}()
	return ctx, func() { signal.Stop(came); close(came); cancel() }
}

func (p *program) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, client := range p.clients {
		_ = client.Close()
	}
}

// usageError is wrong usage: exit code 2.
type usageError struct{ error }

// Unwrap keeps the cause.
func (e usageError) Unwrap() error { return e.error }

func usage(format string, parts ...any) error { return usageError{fmt.Errorf(format, parts...)} }

// errSilent is a failure whose result says it already.
var errSilent = errors.New("")

// execute runs one invocation and returns its exit code.
func (p *program) execute(ctx context.Context, arguments []string) int {
	if len(arguments) == 0 || slices.Contains([]string{"-h", "--help", "-help", "help"}, arguments[0]) {
		p.help()
		return exitDone
	}
	found := find(arguments[0])
	if found == nil {
		return p.failed(nil, usage("no such command %q; mxgw-go --help lists them", arguments[0]))
	}
	if slices.ContainsFunc(arguments[1:], func(each string) bool { return each == "-h" || each == "--help" }) {
		p.helpOf(found)
		return exitDone
	}
	if found.name == "batch" {
		return p.batch(ctx, arguments[1:])
	}
	given, err := parse(found, arguments[1:])
	if err != nil {
		return p.failed(nil, err)
	}
	r := &run{program: p, ctx: ctx, command: found, given: given}
	if err := r.do(); err != nil {
		return p.failed(r, err)
	}
	return exitDone
}

func (p *program) failed(r *run, err error) int {
	var wrong usageError
	code := exitFailure
	if errors.As(err, &wrong) {
		code = exitUsage
	}
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		if syscall.Signal(p.signal.Load()) == syscall.SIGTERM {
			code, text = exitTerminated, "ended by SIGTERM"
		} else {
			code, text = exitInterrupted, "interrupted"
		}
	}
	if errors.Is(err, errSilent) {
		return code
	}
	if r != nil {
		text = mxgateway.Redact(text, r.secrets...)
	}
	text = "Error: " + clitext.Printable(mxgateway.Redact(text))
	if p.captured != nil {
		p.captured.WriteString(text)
	} else {
		fmt.Fprintln(p.stderr, text)
	}
	return code
}

// batch runs one invocation for each line of stdin, until its end; all lines share their connections.
func (p *program) batch(ctx context.Context, arguments []string) int {
	if len(arguments) > 0 {
		return p.failed(nil, usage("batch takes no arguments; it reads lines from stdin"))
	}
	if p.inBatch {
		return p.failed(nil, usage("batch within batch is not possible"))
	}
	p.inBatch = true
	lines := bufio.NewReader(p.stdin)
	for number := 0; ; number++ {
		line, err := lines.ReadString('\n')
		if line == "" && err != nil {
			return exitDone
		}
		if number == 0 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		p.captured = &strings.Builder{}
		code := exitDone
		words, split := clitext.SplitLine(line)
		switch {
		case split != nil:
			code = p.failed(nil, usage("the line cannot be split: %w", split))
		case len(words) > 0:
			code = p.execute(ctx, words)
		}
		if text := p.captured.String(); code != exitDone && text != "" {
			failure, _ := json.Marshal(map[string]string{"error": text, "type": "error"})
			fmt.Fprintln(p.stdout, string(failure))
		}
		p.captured = nil
		fmt.Fprintln(p.stdout, endOfRecord)
		if p.stdout.Flush() != nil {
			return exitFailure
		}
		if ctx.Err() != nil {
			return p.failed(nil, context.Canceled)
		}
	}
}

// ------------------------------------------------------------------------------------------------------------- help

func (p *program) help() {
	fmt.Fprint(p.stdout, "Usage: mxgw-go COMMAND [OPTIONS]\n\nAVEVA System Platform tags from a terminal, through an MXAccess gateway.\n\n"+
		"TLS is the default; an unencrypted channel has to be asked for with --plaintext. A key comes from --api-key-env\n"+
		"VARIABLE, and never appears in any output.\n")
	section := ""
	for _, each := range commands {
		if each.section != section {
			section = each.section
			fmt.Fprintf(p.stdout, "\n%s:\n", section)
		}
		fmt.Fprintf(p.stdout, "  %-30s %s\n", each.name, each.help)
	}
}

func (p *program) helpOf(c *command) {
	fmt.Fprintf(p.stdout, "Usage: mxgw-go %s [OPTIONS]\n\n%s\n\nOptions:\n", c.name, c.help)
	for _, each := range c.all() {
		name := "--" + each.name
		if each.kind != "flag" {
			name += " " + strings.ToUpper(each.kind)
		}
		var notes []string
		if each.required {
			notes = append(notes, "required")
		}
		if each.fallback != "" {
			notes = append(notes, "default: "+each.fallback)
		}
		if len(each.choices) > 0 {
			notes = append(notes, strings.Join(each.choices, "|"))
		}
		note := ""
		if len(notes) > 0 {
			note = "  [" + strings.Join(notes, "; ") + "]"
		}
		fmt.Fprintf(p.stdout, "  %-34s %s%s\n", name, each.help, note)
	}
}
