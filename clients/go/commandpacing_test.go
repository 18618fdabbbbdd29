package mxgateway

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	pb "mxaccess-gateway.example/clients/go/gatewaypb"
)

// paced is a command stream whose sender and gateway are the test.
type paced struct {
	*commandStream
	t   *testing.T
	run *commandRun
}

func newPaced(t *testing.T) *paced {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s := newCommandStream(&connection{options: &options{maxMessageBytes: MaxMessageBytes}}, "s")
	s.usedAt = time.Now()
	s.run = &commandRun{ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1)}
	return &paced{commandStream: s, t: t, run: s.run}
}

// calls begins a command of each number.
func (p *paced) calls(numbers ...int) {
	p.t.Helper()
	for _, number := range numbers {
		message := &pb.MxStreamCommand{CorrelationId: fmt.Sprint(number)}
		if err := p.begin(&pendingCommand{message: message, what: "Ping", size: 10, answer: make(chan commandAnswer, 1)}); err != nil {
			p.t.Fatal(err)
		}
	}
}

// sends takes the message of a sender that was woken, and holds how many commands it has; none where it sleeps on.
func (p *paced) sends(commands int) *pb.MxCommandBatch {
	p.t.Helper()
	batch := &pb.MxCommandBatch{}
	select {
	case <-p.run.wake:
		batch = p.next(p.run)
	default:
	}
	if len(batch.Commands) != commands {
		p.t.Fatalf("%d commands were sent, not %d", len(batch.Commands), commands)
	}
	return batch
}

func (p *paced) answers(numbers ...int) {
	batch := &pb.MxCommandReplyBatch{}
	for _, number := range numbers {
		batch.Replies = append(batch.Replies, &pb.MxCommandReply{CorrelationId: fmt.Sprint(number)})
	}
	p.settle(batch)
}

func TestCommandsBehindTwoUnansweredMessagesTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t)
		p.calls(1)
		p.sends(1)
		p.calls(2)
		p.sends(1)
		p.calls(3, 4, 5, 6, 7, 8)
		p.sends(0)
		p.answers(1)
		p.sends(6)
		p.calls(9)
		p.sends(0)
		// The second message is answered by a reply to the third one, too.
		p.answers(5)
		p.sends(1)
	})
}

func TestALoneCommandNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t)
		for number := range 5 {
			p.calls(number)
			p.sends(1)
			p.answers(number)
		}
	})
}

func TestACommandBehindSlowOnesIsSentSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t)
		for number := range 2 {
			p.calls(number)
			p.sends(1)
		}
		for number := 2; number < 5; number++ {
			p.calls(number)
			p.sends(0)
			// The clock of a bubble: nobody sleeps.
			time.Sleep(longestHold)
			synctest.Wait()
			p.sends(1)
		}
	})
}

func TestCancelledCommandsHoldNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaced(t)
		for number := range 2 {
			p.calls(number)
			p.sends(1)
		}
		p.calls(2)
		p.forget(p.underWay["0"])
		if cancels := p.sends(0).GetCancelCorrelationIds(); len(cancels) != 1 {
			t.Fatalf("cancelled were %v", cancels)
		}
		// Nothing that was sent is under way any more: what waits is alone.
		p.forget(p.underWay["1"])
		p.sends(1)
	})
}
