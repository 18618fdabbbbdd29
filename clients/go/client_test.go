package mxgateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	mxgateway "mxaccess-gateway.example/clients/go"
	pb "mxaccess-gateway.example/clients/go/gatewaypb"
	"mxaccess-gateway.example/clients/go/internal/fakegateway"
)

const key = "mxgw_test_sentinelsecret"

func connect(t testing.TB, gateway *fakegateway.Gateway, options ...mxgateway.Option) *mxgateway.Client {
	t.Helper()
	client, err := mxgateway.Connect(t.Context(), gateway.Endpoint, append(options, mxgateway.WithPlaintext(), mxgateway.WithAPIKey(key))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// eventually waits for a condition, with a deadline.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come to be", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// settled waits until there are no more goroutines than before, give or take those of the runtime.
func settled(t testing.TB, before int) {
	t.Helper()
	eventually(t, fmt.Sprintf("an end of the goroutines beyond %d", before), func() bool { return runtime.NumGoroutine() <= before+3 })
}

func TestAThousandSessionsLeaveNoGoroutine(t *testing.T) {
	gateway := fakegateway.Start(t, mxgateway.CapabilityCommandStream)
	client := connect(t, gateway)
	before := runtime.NumGoroutine()
	for range 1000 {
		session, err := client.OpenSession(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := session.Ping(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := session.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	settled(t, before)
	if gateway.Closed() != 1000 {
		t.Fatalf("%d sessions were closed", gateway.Closed())
	}
	// The client has reset them; the gateway learns of it in a moment.
	eventually(t, "an end of all streams", func() bool { return gateway.Streams() == 0 })
}

func TestAThousandCancelledCallsLeaveNoGoroutine(t *testing.T) {
	for name, capabilities := range map[string][]string{"Invoke": nil, "InvokeStream": {mxgateway.CapabilityCommandStream}} {
		t.Run(name, func(t *testing.T) {
			gateway := fakegateway.Start(t, capabilities...)
			session, err := connect(t, gateway).OpenSession(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := session.Ping(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			gateway.Hold(true)
			before := runtime.NumGoroutine()
			var waiting sync.WaitGroup
			for range 1000 {
				ctx, cancel := context.WithCancel(t.Context())
				waiting.Add(1)
				go func() {
					defer waiting.Done()
					if _, err := session.Ping(ctx, "x"); !errors.Is(err, context.Canceled) {
						t.Errorf("a cancelled call gave %v", err)
					}
				}()
				cancel()
			}
			waiting.Wait()
			settled(t, before)
			gateway.Hold(false)
			if text, err := session.Ping(t.Context(), "y"); err != nil || text != "y" {
				t.Fatalf("afterwards the session gives %q, %v", text, err)
			}
		})
	}
}

func TestClosedStreamsLeaveNothing(t *testing.T) {
	gateway := fakegateway.Start(t)
	session, err := connect(t, gateway).OpenSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 200 {
		events, err := session.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		event, err := events.Next(t.Context())
		if err != nil || event.GetWorkerSequence() != 1<<63+1 {
			t.Fatal(event, err)
		}
		late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := events.Next(late); !errors.Is(err, mxgateway.ErrTimeout) {
			t.Fatalf("a wait that was given up gave %v", err)
		}
		cancel()
		_ = events.Close()
		if _, err := events.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Fatalf("after the end: %v", err)
		}
	}
	settled(t, before)
	eventually(t, "an end of all streams", func() bool { return gateway.Streams() == 0 })
}

func TestAForgottenStreamEndsItsCall(t *testing.T) {
	gateway := fakegateway.Start(t)
	client := connect(t, gateway)
	session, err := client.OpenSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	func() {
		events, err := session.Events(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := events.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
	}()
	eventually(t, "the end of a forgotten stream", func() bool { runtime.GC(); return gateway.Streams() == 0 })
}

func TestASubscriptionLeavesNothing(t *testing.T) {
	gateway := fakegateway.Start(t)
	gateway.AwaitSubscribe()
	client := connect(t, gateway)
	before := runtime.NumGoroutine()
	subscription, err := client.Subscribe(t.Context(), []string{"A.B"})
	if err != nil {
		t.Fatal(err)
	}
	changes := subscription.Changes()
	if change := <-changes; change.Tag != "A.B" {
		t.Fatalf("got a change of %s", change.Tag)
	}
	if err := subscription.Close(); err != nil {
		t.Fatal(err)
	}
	for range changes {
		t.Fatal("a change after the end")
	}
	if subscription.Err() != nil || subscription.State() != mxgateway.Closed {
		t.Fatal(subscription.Err(), subscription.State())
	}
	settled(t, before)
}

func TestAStreamThatIsReadIsNotForgotten(t *testing.T) {
	gateway := fakegateway.Start(t)
	alarms, err := connect(t, gateway).StreamAlarms(context.Background(), &pb.StreamAlarmsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	// From here on nothing but the loop has the stream.
	loop := alarms.All(t.Context())
	alarms = nil
	got := 0
	for _, err := range loop {
		if err != nil {
			t.Fatalf("after %d messages: %v", got, err)
		}
		if got++; got == 3 {
			return
		}
		runtime.GC()
		gateway.SendAlarm()
	}
	t.Fatalf("the stream ended after %d messages", got)
}

func TestManySubscriptionsStartAtOnce(t *testing.T) {
	for name, capabilities := range map[string][]string{"Invoke": nil, "InvokeStream": {mxgateway.CapabilityCommandStream}} {
		t.Run(name, func(t *testing.T) {
			gateway := fakegateway.Start(t, capabilities...)
			client := connect(t, gateway)
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			var starting sync.WaitGroup
			for range 32 {
				starting.Go(func() {
					for range 5 {
						subscription, err := client.Subscribe(ctx, []string{"A.B", "C.D"})
						if err != nil {
							t.Errorf("a subscription did not start: %v", err)
							return
						}
						if state := subscription.State(); state != mxgateway.Connected {
							t.Errorf("it is %s", state)
						}
						_ = subscription.Close()
					}
				})
			}
			starting.Wait()
			settled(t, before)
		})
	}
}

func TestCommandsOfManyTravelTogether(t *testing.T) {
	const callers, each = 50, 40
	gateway := fakegateway.Start(t, mxgateway.CapabilityCommandStream)
	session, err := connect(t, gateway).OpenSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for range each {
				if _, err := session.Ping(t.Context(), "x"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calling.Wait()
	// Some ten of them do; one each is what a writer makes that never lets others go first.
	if messages := gateway.Messages(); messages > callers*each/2 {
		t.Fatalf("%d commands went in %d messages", callers*each, messages)
	}
}

func TestErrorsAreAsked(t *testing.T) {
	gateway := fakegateway.Start(t)
	_, err := connect(t, gateway).Galaxy().Discover(t.Context(), mxgateway.Filter{})
	var failure *mxgateway.Error
	if !errors.As(err, &failure) || !errors.Is(err, mxgateway.ErrTransport) || errors.Is(err, mxgateway.ErrSession) {
		t.Fatalf("%v of %T", err, err)
	}
	late, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err = connect(t, gateway).Galaxy().TestConnection(late); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, mxgateway.ErrTimeout) {
		t.Fatalf("a deadline gave %v", err)
	}
}

func TestNoVerbShowsTheKey(t *testing.T) {
	client := connect(t, fakegateway.Start(t))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, client); strings.Contains(text, "sentinel") {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}

func TestTheKeyFunctionIsAskedForEachCall(t *testing.T) {
	gateway := fakegateway.Start(t)
	asked := 0
	client, err := mxgateway.Connect(t.Context(), gateway.Endpoint, mxgateway.WithPlaintext(), mxgateway.WithKeyFunc(func(context.Context) (string, error) {
		asked++
		if asked == 2 {
			return "", errors.New("no key now")
		}
		return key, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.OpenSession(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.OpenSession(t.Context()); err == nil || strings.Contains(err.Error(), key) {
		t.Fatalf("a key function that fails gave %v", err)
	}
}

func TestCorrelationIDsAreUniqueAmongGoroutines(t *testing.T) {
	const each = 10_000
	var seen sync.Map
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			for range each {
				if _, twice := seen.LoadOrStore(mxgateway.NewCorrelationID(), true); twice {
					t.Error("an id came twice")
				}
			}
		}()
	}
	waiting.Wait()
}
