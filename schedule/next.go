package schedule

import (
	"math/bits"
	"time"
)

// Two kinds of times are told apart here. An instant is in seconds of Unix time. What a clock on the wall shows is a
// reading: the instant at which a clock in UTC shows the same. Where the clocks are changed, some readings never are, and
// others are twice.

const (
	day = 24 * 3600 // seconds

	// farthest is how many days are looked through for one that fits: some 29th of February that is a given day of the week
	// is 40 years off, across a year like 2100.
	farthest = 48 * 366

	// farOff is more than any zone is from UTC, in seconds; at the most it was 15 hours and 14 minutes.
	farOff = 16 * 3600
)

// Next is the first time after another at which it recurs, in a zone; all in milliseconds of Unix time. from is where spans
// of time (@every) are counted from. It reports false if there is none.
//
// An expression that does not name all hours means readings of the clock, each of them once: one that the clock skips is at
// the first moment after the gap, one that it shows twice is at the first of these. Readings of a day that a zone left out
// altogether are never. One that names all hours is about minutes: it recurs whenever the clock shows what it says.
func (c *Cron) Next(in *time.Location, from, after int64) (int64, bool) {
	if c.every > 0 {
		if after < from {
			return from + c.every, true
		}
		return from + ((after-from)/c.every+1)*c.every, true
	}
	next := c.once
	if c.hourly {
		next = c.always
	}
	at, ok := next(in, floor(after, 1000))
	return at * 1000, ok
}

// floor divides, towards the past.
func floor(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

// once is the first instant after another at which a reading that is meant has come.
func (c *Cron) once(in *time.Location, after int64) (int64, bool) {
	for n := reading(in, after) + 1; ; n++ {
		var ok bool
		if n, ok = c.match(n); !ok {
			return 0, false
		}
		at := reached(in, n)
		if at <= after {
			continue // it was shown before already, and is again
		}
		if shown := reading(in, at); shown != n && isLeftOut(in, n) {
			n = floor(n, day)*day + day - 1
			continue
		}
		return at, true
	}
}

// always is the first instant after another at which the clock shows what is meant.
func (c *Cron) always(in *time.Location, after int64) (int64, bool) {
	for from := after + 1; ; {
		offset, end, ends := period(in, from)
		n, ok := c.match(from + offset)
		if !ok {
			return 0, false
		}
		if at := n - offset; !ends || at < end {
			return at, true
		}
		from = end
	}
}

// period is what is added to an instant to have the reading, and until which later instant.
//
// In years behind those that a zone's file lists, which follow from its rule, time.ZoneBounds takes a leap year to end a day
// early, and says of that day that it ends where it begins (Go 1.26). Then an hour is as good: none is changed on that day.
func period(in *time.Location, at int64) (offset, end int64, ends bool) {
	t := time.Unix(at, 0).In(in)
	_, seconds := t.Zone()
	_, until := t.ZoneBounds()
	end = until.Unix()
	if end <= at {
		end = at + 3600
	}
	return int64(seconds), end, !until.IsZero()
}

func reading(in *time.Location, at int64) int64 {
	offset, _, _ := period(in, at)
	return at + offset
}

// reached is the first instant at which the clock has shown a reading, or a later one.
func reached(in *time.Location, n int64) int64 {
	for from := n - farOff; ; {
		offset, end, ends := period(in, from)
		if at := max(from, n-offset); !ends || at < end {
			return at
		}
		from = end
	}
}

// isLeftOut tells whether the day of a reading never was.
func isLeftOut(in *time.Location, n int64) bool {
	begin := floor(n, day) * day
	return reading(in, reached(in, begin)) >= begin+day
}

// match is the first reading that is meant, from one on.
func (c *Cron) match(n int64) (int64, bool) {
	today := floor(n, day)
	at := int(n - today*day)
	for last := today + farthest; today < last; today, at = today+1, 0 {
		if c.onDay(today) {
			if at, ok := c.inDay(at); ok {
				return today*day + int64(at), true
			}
		}
	}
	return 0, false
}

func (c *Cron) onDay(days int64) bool {
	t := time.Unix(days*day, 0).UTC()
	_, m, d := t.Date()
	if !has(c.fields[month], int(m)) {
		return false
	}
	ofMonth, ofWeek := has(c.fields[dayOfMonth], d), has(c.fields[dayOfWeek], int(t.Weekday()))
	if c.either {
		return ofMonth || ofWeek
	}
	return ofMonth && ofWeek
}

// inDay is the first second of a day that is meant, from one on.
func (c *Cron) inDay(from int) (int, bool) {
	at := [3]int{from % 60, from / 60 % 60, from / 3600} // as the fields
	for i := hour; ; {
		v, ok := atLeast(c.fields[i], at[i])
		switch {
		case !ok && i == hour:
			return 0, false
		case !ok: // none is left in what is around it
			i++
			at[i]++
			clear(at[:i])
			continue
		case v > at[i]:
			clear(at[:i])
		}
		if at[i] = v; i == second {
			return at[hour]*3600 + at[minute]*60 + at[second], true
		}
		i--
	}
}

func has(set uint64, v int) bool { return set>>v&1 != 0 }

// atLeast is the lowest value in a set that is not below v.
func atLeast(set uint64, v int) (int, bool) {
	if rest := set >> v << v; rest != 0 {
		return bits.TrailingZeros64(rest), true
	}
	return 0, false
}
