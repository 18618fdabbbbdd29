package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	mxgateway "mxaccess-gateway.example/clients/go"
	pb "mxaccess-gateway.example/clients/go/gatewaypb"
	"mxaccess-gateway.example/clients/go/internal/clitext"
	"mxaccess-gateway.example/clients/go/internal/jsontext"
)

// smoke opens a session, registers, adds and advises an item, takes some events, and closes.
func smoke(r *run, ctx context.Context, client *mxgateway.Client) error {
	var value *pb.MxValue
	if r.given.flag("value") {
		var err error
		if value, err = r.value(); err != nil {
			return err
		}
	}
	session, err := client.OpenSession(ctx, mxgateway.WithSessionName(r.own(r.given.text("client-name"))))
	if err != nil {
		return err
	}
	report := []field{
		{Key: "language", Value: "go"}, {Key: "operation", Value: "smoke"}, {Key: "sessionId", Value: session.ID()}, {Key: "isSimulated", Value: session.Simulated()},
	}
	found, round := r.round(ctx, session, value)
	closed, closing := session.Close(context.WithoutCancel(ctx))
	if err := errors.Join(round, closing); err != nil {
		return err
	}
	report = append(report, field{Key: "serverHandle", Value: found.server}, field{Key: "itemHandle", Value: found.item}, field{Key: "events", Value: jsontext.Messages(found.events)})
	if found.completion != nil {
		report = append(report, field{Key: "writeCompletion", Value: proto.Message(found.completion)})
	}
	report = append(report, field{Key: "closeStatus", Value: closed.GetFinalState().String()}, field{Key: "keySource", Value: r.keySource})
	lines := append(eventTexts(found.events), fmt.Sprintf("session %s %s", session.ID(), closed.GetFinalState()))
	if err := r.fields(lines, report...); err != nil {
		return err
	}
	last := found.events[len(found.events)-1]
	for _, each := range append(last.GetStatuses(), found.completion.GetStatuses()...) {
		if mxgateway.IsStatusFailure(each) {
			return fmt.Errorf("the gateway works, but %s does not: %s", r.given.text("item"), mxgateway.StatusText(each))
		}
	}
	return nil
}

type roundTrip struct {
	server, item int32
	events       []*pb.MxEvent
	completion   *pb.MxEvent
}

func (r *run) round(ctx context.Context, session *mxgateway.Session, value *pb.MxValue) (*roundTrip, error) {
	found := &roundTrip{}
	var err error
	if found.server, err = session.Register(ctx, r.own(r.given.text("client-name"))); err != nil {
		return nil, err
	}
	if found.item, err = session.AddItem(ctx, found.server, r.given.text("item")); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, r.timeout()*8/10)
	defer cancel()
	stream, err := session.Events(limited)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	if err := session.Advise(ctx, found.server, found.item); err != nil {
		return nil, err
	}
	wanted, wrote := int(r.given.int("max-events")), false
	for len(found.events) < wanted || (value != nil && found.completion == nil) {
		event, err := stream.Next(limited)
		if err != nil {
			if limited.Err() != nil && ctx.Err() == nil {
				return nil, fmt.Errorf("%d of %d events came within %v (--timeout)", len(found.events), wanted, r.timeout()*8/10)
			}
			return nil, err
		}
		if event.GetFamily() == pb.MxEventFamily_MX_EVENT_FAMILY_ON_WRITE_COMPLETE {
			found.completion = event
		} else if len(found.events) < wanted {
			found.events = append(found.events, event)
		}
		if value != nil && !wrote {
			wrote = true
			if err := session.Write(ctx, found.server, found.item, value); err != nil {
				return nil, err
			}
		}
	}
	return found, errors.Join(
		session.Unadvise(ctx, found.server, found.item), session.RemoveItem(ctx, found.server, found.item), session.Unregister(ctx, found.server),
	)
}

func (r *run) benchTags() []string {
	tags := make([]string, r.given.int("bulk-size"))
	for index := range tags {
		tags[index] = fmt.Sprintf("%s%03d.%s", r.given.text("tag-prefix"), r.given.int("tag-start")+int64(index), r.given.text("tag-attribute"))
	}
	return tags
}

func checkSubscribed(results []*pb.SubscribeResult) error {
	for _, each := range results {
		if !each.GetWasSuccessful() {
			return fmt.Errorf("a tag was refused: %s: %s", each.GetTagAddress(), each.GetErrorMessage())
		}
	}
	return nil
}

type readFigures struct {
	successes, failures         []float64
	results, cached, unreadable int
	elapsed                     time.Duration
	lastError                   string
}

// readLoop calls read_bulk one after the other for some time; the end of ctx ends it at once.
func readLoop(ctx context.Context, session *mxgateway.Session, server int32, tags []string, limit, length time.Duration) (*readFigures, error) {
	figures := &readFigures{}
	began := time.Now()
	for time.Since(began) < length {
		started := time.Now()
		found, err := session.ReadBulk(ctx, server, tags, mxgateway.TagLimit(limit))
		took := float64(time.Since(started).Nanoseconds()) / 1e6
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			figures.failures = append(figures.failures, took)
			figures.lastError = err.Error()
			continue
		}
		figures.successes = append(figures.successes, took)
		figures.results += len(found)
		for _, each := range found {
			if each.GetWasCached() {
				figures.cached++
			}
			if !each.GetWasSuccessful() {
				figures.unreadable++
			}
		}
	}
	figures.elapsed = time.Since(began)
	return figures, nil
}

func milliseconds(length time.Duration) float64 {
	return math.Round(float64(length.Nanoseconds())/1e3) / 1e3
}

func rate(count int, length time.Duration) float64 {
	if length <= 0 {
		return 0
	}
	return math.Round(float64(count)/length.Seconds()*1e3) / 1e3
}

func benchRead(r *run, ctx context.Context, client *mxgateway.Client) (err error) {
	tags := r.benchTags()
	session, err := client.OpenSession(ctx, mxgateway.WithSessionName("bench-read-bulk"))
	if err != nil {
		return err
	}
	defer func() {
		_, closing := session.Close(context.WithoutCancel(ctx))
		err = errors.Join(err, closing)
	}()
	server, err := session.Register(ctx, "bench-read-bulk")
	if err != nil {
		return err
	}
	subscribed, err := session.SubscribeBulk(ctx, server, tags)
	if err != nil {
		return err
	}
	if err := checkSubscribed(subscribed); err != nil {
		return err
	}
	limit := time.Duration(r.given.int("timeout-ms")) * time.Millisecond
	if _, err := readLoop(ctx, session, server, tags, limit, duration(r.given.number("warmup-seconds"))); err != nil {
		return err
	}
	figures, err := readLoop(ctx, session, server, tags, limit, duration(r.given.number("duration-seconds")))
	if err != nil {
		return err
	}
	total := len(figures.successes) + len(figures.failures)
	document, err := jsontext.Document(
		field{Key: "language", Value: "go"}, field{Key: "durationMs", Value: milliseconds(figures.elapsed)},
		field{Key: "totalCalls", Value: total}, field{Key: "successfulCalls", Value: len(figures.successes)},
		field{Key: "failedCalls", Value: len(figures.failures)}, field{Key: "totalReadResults", Value: figures.results},
		field{Key: "cachedReadResults", Value: figures.cached}, field{Key: "callsPerSecond", Value: rate(total, figures.elapsed)},
		field{Key: "latencyMs", Value: clitext.Percentiles(figures.successes)}, field{Key: "failureLatencyMs", Value: clitext.Percentiles(figures.failures)},
	)
	if err != nil {
		return err
	}
	if err := r.always(document); err != nil {
		return err
	}
	switch {
	case len(figures.successes) == 0:
		return fmt.Errorf("no call succeeded: %s", figures.lastError)
	case figures.unreadable > 0:
		return fmt.Errorf("%d of %d results were failures; is %s a tag? (--tag-prefix)", figures.unreadable, figures.results, tags[0])
	case figures.cached != figures.results:
		return fmt.Errorf("%d of %d results were not cached, so they measure the plant: give the tags time for their first value (--warmup-seconds)",
			figures.results-figures.cached, figures.results)
	}
	return nil
}

// always prints a document also without --json.
func (r *run) always(document []byte) error {
	text, err := jsontext.Indented(document)
	fmt.Fprintln(r.stdout, text)
	return err
}

const maxSamples = 2_000_000

// eventFigures are the events of all sessions while counting.
type eventFigures struct {
	mu        sync.Mutex
	counting  bool
	events    int
	lost      uint64
	latencies []float64
}

func (f *eventFigures) take(batch mxgateway.Batch, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.counting {
		return
	}
	for _, event := range batch.Events {
		if gap := event.GetReplayGap(); gap != nil {
			f.lost += gap.GetDroppedEvents()
			continue
		}
		f.events++
		if len(f.latencies) < maxSamples {
			f.latencies = append(f.latencies, float64(now.Sub(event.GetWorkerTimestamp().AsTime()).Nanoseconds())/1e6)
		}
	}
}

func benchStream(r *run, ctx context.Context, client *mxgateway.Client) (err error) {
	tags, figures := r.benchTags(), &eventFigures{}
	running, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	failures := make(chan error, r.given.int("session-count"))
	var sessions []*mxgateway.Session
	defer func() {
		cancel()
		readers.Wait()
		for _, session := range sessions {
			_, closing := session.Close(context.WithoutCancel(ctx))
			err = errors.Join(err, closing)
		}
	}()
	for index := range r.given.int("session-count") {
		if index > 0 {
			if err := wait(ctx, time.Duration(r.given.int("session-start-stagger-ms"))*time.Millisecond, failures); err != nil {
				return err
			}
		}
		session, err := client.OpenSession(ctx, mxgateway.WithSessionName(fmt.Sprintf("bench-stream-events %d", index+1)))
		if err != nil {
			return err
		}
		sessions = append(sessions, session)
		stream, err := session.Events(running)
		if err != nil {
			return err
		}
		readers.Add(1)
		go func() {
			defer readers.Done()
			for {
				batch, err := stream.NextBatch(running)
				if err != nil {
					if running.Err() == nil {
						failures <- fmt.Errorf("an event stream ended: %w", err)
					}
					return
				}
				figures.take(batch, time.Now())
			}
		}()
		if err := subscribeAll(ctx, session, tags); err != nil {
			return err
		}
	}
	if err := wait(ctx, duration(r.given.number("warmup-seconds")), failures); err != nil {
		return err
	}
	began := figures.count(true)
	if err := wait(ctx, duration(r.given.number("duration-seconds")), failures); err != nil {
		return err
	}
	elapsed := figures.count(false).Sub(began)
	document, err := jsontext.Document(
		field{Key: "language", Value: "go"}, field{Key: "durationMs", Value: milliseconds(elapsed)},
		field{Key: "sessionCount", Value: len(sessions)}, field{Key: "tagsPerSession", Value: len(tags)},
		field{Key: "totalEvents", Value: figures.events}, field{Key: "eventsPerSecond", Value: rate(figures.events, elapsed)},
		field{Key: "lostEvents", Value: figures.lost}, field{Key: "latencyMs", Value: clitext.Percentiles(figures.latencies)},
	)
	if err != nil {
		return err
	}
	if err := r.always(document); err != nil {
		return err
	}
	if figures.events == 0 {
		return fmt.Errorf("no tag changed; is %s a tag? (--tag-prefix)", tags[0])
	}
	return nil
}

func (f *eventFigures) count(on bool) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counting = on
	return time.Now()
}

func subscribeAll(ctx context.Context, session *mxgateway.Session, tags []string) error {
	server, err := session.Register(ctx, "bench-stream-events")
	if err != nil {
		return err
	}
	for start := 0; start < len(tags); start += mxgateway.MaxBulkItems {
		results, err := session.SubscribeBulk(ctx, server, tags[start:min(start+mxgateway.MaxBulkItems, len(tags))])
		if err != nil {
			return err
		}
		if err := checkSubscribed(results); err != nil {
			return err
		}
	}
	return nil
}

// wait lets time pass, unless a reader fails or the run is interrupted.
func wait(ctx context.Context, length time.Duration, failures <-chan error) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-failures:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
