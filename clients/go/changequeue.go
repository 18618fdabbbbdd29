package mxgateway

import "fmt"

// Overflow says what happens when a subscription's queue is full because its consumer is too slow.
type Overflow int

const (
	// DropOldest drops the oldest change; LostBefore of the next one says how many were.
	DropOldest Overflow = iota
	// DropNewest drops the new change; LostBefore of the next one that is kept says how many were.
	DropNewest
	// Warn drops nothing: the queue grows, and a warning is logged each time its length has doubled.
	Warn
	// Disconnect ends the subscription with an ErrOverflow, after the changes that are in the queue.
	Disconnect
)

// changeQueue holds changes that wait for the consumer. It counts what it drops; nothing is lost without a trace.
type changeQueue struct {
	asked, capacity int
	policy          Overflow
	changes         []DataChange
	lostNext        uint64
	warnAt          int
	filling         bool
	dropped         uint64
}

func newChangeQueue(capacity int, policy Overflow) *changeQueue {
	return &changeQueue{asked: capacity, capacity: capacity, policy: policy, warnAt: capacity, filling: true}
}

// makeRoom sees to it that the present value of each of so many tags fits, however little was asked for.
func (q *changeQueue) makeRoom(tags int) {
	if tags > 1 {
		tags *= 2
	}
	q.capacity = max(q.asked, tags)
}

// put takes a change; a warning to log, or the end of the subscription.
func (q *changeQueue) put(change DataChange) (string, error) {
	if q.filling && len(q.changes) >= q.capacity && q.policy != Warn {
		q.keepLatest()
	}
	if len(q.changes) < q.capacity || q.policy == Warn {
		q.append(change)
		if len(q.changes) <= q.warnAt {
			return "", nil
		}
		q.warnAt *= 2
		return fmt.Sprintf("%d changes wait; the consumer of the subscription is too slow", len(q.changes)), nil
	}
	if q.policy == Disconnect {
		return "", newError(KindOverflow, fmt.Sprintf("%d changes wait and the overflow policy is Disconnect: the consumer is too slow", q.capacity))
	}
	q.dropped++
	if q.policy == DropNewest {
		q.lostNext++
		return "", nil
	}
	oldest := q.changes[0]
	q.changes = q.changes[1:]
	q.append(change)
	// The gap is where the dropped change stood: before the one that is now the oldest.
	q.changes[0].LostBefore += oldest.LostBefore + 1
	return "", nil
}

// takeLost gives what was noted for the next change, which from now on the caller answers for.
func (q *changeQueue) takeLost() uint64 {
	lost := q.lostNext
	q.lostNext = 0
	return lost
}

func (q *changeQueue) append(change DataChange) {
	change.LostBefore += q.takeLost()
	q.changes = append(q.changes, change)
}

// discard removes the changes of some tags. What was lost before them was so before the next change.
func (q *changeQueue) discard(gone map[string]bool) {
	var lost uint64
	kept := q.changes[:0:0]
	for _, change := range q.changes {
		if gone[change.Tag] {
			lost += change.LostBefore
			continue
		}
		change.LostBefore += lost
		lost = 0
		kept = append(kept, change)
	}
	q.changes = kept
	q.lostNext += lost
}

// keepLatest drops each change that a younger one of its tag follows, which says how many were lost before it.
func (q *changeQueue) keepLatest() {
	last := map[string]int{}
	for index, change := range q.changes {
		last[change.Tag] = index
	}
	lost := map[string]uint64{}
	kept := q.changes[:0:0]
	for index, change := range q.changes {
		if last[change.Tag] != index {
			lost[change.Tag] += change.LostBefore + 1
			q.dropped++
			continue
		}
		change.LostBefore += lost[change.Tag]
		kept = append(kept, change)
	}
	q.changes = kept
}

func (q *changeQueue) take() (DataChange, bool) {
	if len(q.changes) == 0 {
		return DataChange{}, false
	}
	change := q.changes[0]
	q.changes[0] = DataChange{}
	q.changes = q.changes[1:]
	return change, true
}
