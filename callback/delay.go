package callback

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// backoff is how long to wait after so many calls in vain: anything up to first, doubled with each and at most longest.
// All of it is left to chance ("full jitter"), so that what failed together does not come back together.
func backoff(calls int, first, longest time.Duration) time.Duration {
	bound := first
	for ; calls > 1 && bound < longest; calls-- {
		bound *= 2
	}
	return rand.N(min(bound, longest) + 1)
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, or a date. It is 0 if there is none, or none that
// can be read. More than 31 bits of seconds count as that many.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second // the largest, if it is out of range
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
