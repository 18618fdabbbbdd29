package mxgateway

import (
	"slices"
	"testing"
	"time"
)

func TestWaitsDoubleUpToTheLongestAndObeyTheGateway(t *testing.T) {
	jitter := 1.0
	x := &Subscription{
		c: &connection{jitter: func() float64 { return jitter }},
		o: subscribeOptions{firstDelay: 200 * time.Millisecond, longestDelay: 5 * time.Second},
	}
	gone := newError(KindConnection, "gone")
	waits := make([]int64, 8)
	for index := range waits {
		waits[index] = x.delay(gone).Milliseconds()
	}
	if wanted := []int64{0, 400, 800, 1600, 3200, 5000, 5000, 5000}; !slices.Equal(waits, wanted) {
		t.Errorf("waits of %v ms, not %v", waits, wanted)
	}
	jitter = 0
	if wait := x.delay(gone); wait != 2500*time.Millisecond {
		t.Errorf("the shortest wait is %v", wait)
	}
	asks := newError(KindConnection, "gone")
	asks.RetryAfter = time.Minute
	if wait := x.delay(asks); wait != time.Minute {
		t.Errorf("the gateway asks for a minute, and %v are waited", wait)
	}
}
