package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	mxgateway "mxaccess-gateway.example/clients/go"
	"mxaccess-gateway.example/clients/go/internal/clitext"
	"mxaccess-gateway.example/clients/go/internal/fakegateway"
)

const key = "mxgw_test_sentinelsecret"

// cli runs one command line against a fake gateway.
func cli(t *testing.T, ctx context.Context, gateway *fakegateway.Gateway, stdin string, arguments ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{
		stdin: strings.NewReader(stdin), stdout: bufio.NewWriter(&out), stderr: &errs,
		getenv: func(name string) (string, bool) {
			return map[string]string{"KEY": key, "PASSWORD": "hunter2"}[name], true
		},
	}
	if gateway != nil {
		arguments = append(arguments, "--endpoint", gateway.Endpoint, "--plaintext", "--api-key-env", "KEY")
	}
	code := p.execute(ctx, arguments)
	p.close()
	_ = p.stdout.Flush()
	if strings.Contains(out.String()+errs.String(), "sentinel") {
		t.Errorf("the key is in the output: %s%s", out.String(), errs.String())
	}
	return code, out.String(), errs.String()
}

func TestEveryBulkCommand(t *testing.T) {
	gateway := fakegateway.Start(t)
	values := []string{"--item-handles", "1,2", "--type", "int32", "--values", "10,20"}
	when := []string{"--timestamp", "2026-01-31T12:00:00.123456789Z"}
	for name, arguments := range map[string][]string{
		"add-item-bulk": {"--items", "A.B,C.D"}, "subscribe-bulk": {"--items", "A.B,C.D"}, "read-bulk": {"--items", "A.B,C.D", "--timeout-ms", "100"},
		"advise-item-bulk": {"--item-handles", "1,2"}, "unadvise-item-bulk": {"--item-handles", "1,2"},
		"remove-item-bulk": {"--item-handles", "1,2"}, "unsubscribe-bulk": {"--item-handles", "1,2"},
		"write-bulk": values, "write2-bulk": append(when, values...),
		"write-secured-bulk": append([]string{"--current-user-id", "7"}, values...), "write-secured2-bulk": append(append([]string{"--current-user-id", "7"}, when...), values...),
	} {
		t.Run(name, func(t *testing.T) {
			all := append([]string{name, "--session-id", "session-1", "--server-handle", "1", "--json"}, arguments...)
			code, out, errs := cli(t, t.Context(), gateway, "", all...)
			var document struct{ Results []any }
			if code != 0 || json.Unmarshal([]byte(out), &document) != nil || len(document.Results) != 2 {
				t.Fatalf("exit code %d, %s%s", code, out, errs)
			}
		})
	}
}

func TestBenches(t *testing.T) {
	gateway := fakegateway.Start(t)
	code, out, errs := cli(t, t.Context(), gateway, "", "bench-read-bulk", "--duration-seconds", "0.1", "--warmup-seconds", "0")
	var document struct {
		SuccessfulCalls, CachedReadResults, TotalReadResults int
		LatencyMs, FailureLatencyMs                          map[string]float64
	}
	if code != 0 || json.Unmarshal([]byte(out), &document) != nil || document.SuccessfulCalls == 0 || document.CachedReadResults != document.TotalReadResults {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	if len(document.LatencyMs) != 5 || len(document.FailureLatencyMs) != 5 || document.FailureLatencyMs["max"] != 0 {
		t.Fatalf("figures of calls that failed are apart: %s", out)
	}
}

func TestBenchesEndAtOnce(t *testing.T) {
	gateway := fakegateway.Start(t)
	for name, warmup := range map[string]string{"warm-up": "30", "steady phase": "0"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			before := gateway.Closed()
			go func() {
				time.Sleep(200 * time.Millisecond)
				cancel()
			}()
			began := time.Now()
			code, _, _ := cli(t, ctx, gateway, "", "bench-read-bulk", "--duration-seconds", "60", "--warmup-seconds", warmup)
			if code != exitInterrupted || time.Since(began) > 10*time.Second || gateway.Closed() != before+1 {
				t.Fatalf("exit code %d after %v, %d sessions closed", code, time.Since(began), gateway.Closed()-before)
			}
		})
	}
}

func TestAnInterruptedStreamPrintsItsDocument(t *testing.T) {
	gateway := fakegateway.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for gateway.Streams() == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		cancel()
	}()
	code, out, errs := cli(t, ctx, gateway, "", "stream-events", "--session-id", "session-1", "--json")
	var document struct {
		Events []struct{ WorkerSequence string }
	}
	if code != 0 || json.Unmarshal([]byte(out), &document) != nil || len(document.Events) != 1 {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	if document.Events[0].WorkerSequence != strconv.FormatUint(1<<63+1, 10) {
		t.Fatalf("the sequence is %s", document.Events[0].WorkerSequence)
	}
	for deadline := time.Now().Add(10 * time.Second); gateway.Streams() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the stream is still open at the gateway")
		}
	}
}

func TestATimeIsAnOrdinaryEndOfAStream(t *testing.T) {
	code, out, errs := cli(t, t.Context(), fakegateway.Start(t), "", "stream-events", "--session-id", "session-1", "--json", "--timeout", "0.2")
	if code != 0 || !strings.Contains(out, `"events"`) {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, arguments := range [][]string{
		{"no-such-command"}, {"ping"}, {"ping", "--session-id"}, {"ping", "--session-id", "a", "--wrong", "1"}, {"ping", "word"},
		{"register", "--session-id", "a", "--session-id", "b"}, {"advise", "--session-id", "a", "--server-handle", "x", "--item-handle", "1"},
		{"advise", "--session-id", "a", "--server-handle", "4294967296", "--item-handle", "1"},
		{"read-bulk", "--session-id", "a", "--server-handle", "1", "--items", "A", "--timeout-ms", "-1"},
		{"write", "--session-id", "a", "--server-handle", "1", "--item-handle", "1", "--type", "word", "--value", "1"},
		{"write", "--session-id", "a", "--server-handle", "1", "--item-handle", "1", "--type", "int32", "--value", "x"},
		{"galaxy-watch", "--last-seen-deploy-time", "yesterday"}, {"ping", "--session-id", "a", "--plaintext", "--tls"},
		{"ping", "--session-id", "a", "--timeout", "0"}, {"batch", "--json"},
	} {
		gateway := fakegateway.Start(t)
		if arguments[0] == "batch" || arguments[0] == "ping" && len(arguments) == 2 || arguments[0] == "no-such-command" {
			gateway = nil
		}
		if code, out, errs := cli(t, t.Context(), gateway, "", arguments...); code != exitUsage || !strings.HasPrefix(errs, "Error: ") {
			t.Errorf("%v: exit code %d, %s%s", arguments, code, out, errs)
		}
	}
}

func TestOneDashIsEnough(t *testing.T) {
	code, out, errs := cli(t, t.Context(), fakegateway.Start(t), "", "ping", "-session-id=session-1", "-message", "hello")
	if code != 0 || out != "hello\n" {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
}

func TestBatch(t *testing.T) {
	gateway := fakegateway.Start(t)
	more := " --endpoint " + gateway.Endpoint + " --plaintext\n"
	lines := "ping --session-id a --message 'one two'" + more + "\nping" + more + "batch\n'open\nversion --json"
	code, out, errs := cli(t, t.Context(), nil, lines, "batch")
	records := strings.Split(out, endOfRecord+"\n")
	if code != 0 || errs != "" || len(records) != 7 || records[0] != "one two\n" || records[1] != "" || records[6] != "" {
		t.Fatalf("exit code %d, %d records: %s%s", code, len(records), out, errs)
	}
	for _, failed := range records[2:5] {
		var document struct{ Error, Type string }
		if json.Unmarshal([]byte(failed), &document) != nil || document.Type != "error" || document.Error == "" {
			t.Errorf("no failure: %s", failed)
		}
	}
}

func TestAValueErrorNamesItsFlagAndKeepsItsCause(t *testing.T) {
	_, err := clitext.Value("x", "int32", "--value")
	if !errors.Is(err, strconv.ErrSyntax) || !strings.Contains(err.Error(), "--value") {
		t.Fatal(err)
	}
	_, err = clitext.Handles("1,x", "--item-handles")
	if !errors.Is(err, strconv.ErrSyntax) || !strings.Contains(err.Error(), "--item-handles") {
		t.Fatal(err)
	}
	if _, err := parse(find("advise"), []string{"--session-id", "a", "--server-handle", "x", "--item-handle", "1"}); !errors.Is(err, strconv.ErrSyntax) {
		t.Fatal(err)
	}
}

func TestEveryCommandHasItsWork(t *testing.T) {
	for _, each := range commands {
		if _, known := works[each.name]; !known && each.name != "version" && each.name != "batch" {
			t.Errorf("%s is not implemented", each.name)
		}
	}
	if mxgateway.Version == "" {
		t.Error("there is no version")
	}
}
