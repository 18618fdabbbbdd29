package mxgateway

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
)

var (
	correlationPrefix = func() string {
		var random [8]byte
		// It never fails: the program ends when there is no randomness.
		_, _ = rand.Read(random[:])
		return hex.EncodeToString(random[:])
	}()
	correlationCount atomic.Uint64
)

// NewCorrelationID returns a new correlation id: never empty, unique among processes, safe from any goroutine. Its text
// is opaque: compare it, log it, but never parse it.
func NewCorrelationID() string {
	return correlationPrefix + "-" + strconv.FormatUint(correlationCount.Add(1), 16)
}
