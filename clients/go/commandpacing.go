package mxgateway

import "time"

const (
	// unansweredMessages is how many messages of commands may be under way before what comes waits for a reply. A message
	// costs the gateway what twenty commands do, and the worker runs its commands one after the other anyway: two keep it
	// at work.
	unansweredMessages = 2
	// longestHold is how long a command waits for that at most: those before it may be slow ones.
	longestHold = time.Millisecond
)

// commandPacing decides whether commands go at once or wait for a reply, so that they travel together where many are
// under way. A lone command never waits.
type commandPacing struct {
	sent, answered uint64
	// heldAt is when the oldest command that waits for a reply began to; zero while none does.
	heldAt    time.Time
	isOverdue bool
}

// holds tells whether commands have to wait.
func (p *commandPacing) holds(inWindow int) bool {
	return inWindow > 0 && !p.isOverdue && p.sent-p.answered >= unansweredMessages
}

// hold notes that a command waits.
func (p *commandPacing) hold(now time.Time) {
	if p.heldAt.IsZero() {
		p.heldAt = now
	}
}

// send notes a message of commands and returns its number; inWindow is how many were under way before it.
func (p *commandPacing) send(inWindow int) uint64 {
	if inWindow == 0 {
		// Those before it were answered, or nobody waits for them any more.
		p.answered = p.sent
	}
	p.sent++
	p.heldAt, p.isOverdue = time.Time{}, false
	return p.sent
}

// answer notes a reply to a command of this message. One is enough: what runs long need not come first.
func (p *commandPacing) answer(message uint64) {
	p.answered = max(p.answered, message)
}

// look is called when time has passed: how much longer commands are held, zero for not at all.
func (p *commandPacing) look(now time.Time) time.Duration {
	if p.heldAt.IsZero() {
		return 0
	}
	left := longestHold - now.Sub(p.heldAt)
	p.isOverdue = left <= 0
	return max(left, 0)
}
