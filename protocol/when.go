package protocol

import (
	"fmt"
	"time"
)

const (
	// maxWhen is the last moment that JavaScript's Date knows (ECMA-262, time values and time range), in milliseconds
	// from 1970; the first is as far before. toISOString() can say no other.
	maxWhen = 8_640_000_000_000_000

	wantTime     = "want YYYY-MM-DDTHH:MM:SSZ"
	wantExpanded = "want ±YYYYYY-MM-DDTHH:MM:SS.sssZ, or YYYY-MM-DDTHH:MM:SSZ for the years 0000 to 9999"
)

// ParseWhen reads a time and returns it in milliseconds of Unix time. It takes what RFC 3339, section 5.6 and its notes,
// allows: t, T or a space between date and time, z, Z or an offset, a fraction of any length, a leap second where there
// may be one (it is the second after); and what JavaScript's toISOString() writes, which for years outside 0 to 9999 has
// a sign and six digits. A fraction finer than a millisecond is rounded up, so that no task runs early.
// The error is a [*ValueError].
func ParseWhen(b []byte) (ms int64, err error) {
	p := whenParser{rest: b, want: wantTime}
	ms = p.parse()
	if p.wrong != "" {
		return 0, &ValueError{quoteCapped(b), "is no time: " + p.wrong + "; " + p.want}
	}
	return ms, nil
}

// whenParser eats rest from the front. After the first thing wrong it eats nothing any more.
type whenParser struct {
	rest     []byte
	expanded bool // a year with sign and six digits: JavaScript's, which leaves no choices
	wrong    string
	want     string
}

func (p *whenParser) parse() int64 {
	year := p.year()
	p.eat("-")
	month := time.Month(p.number(2, 1, 12, "month"))
	p.eat("-")
	day := p.number(2, 1, 31, "day")
	if n := daysIn(year, month); p.wrong == "" && day > n {
		p.fail("%v %04d has %d days", month, year, n)
	}
	if p.expanded {
		p.eat("T")
	} else {
		p.eat("Tt ")
	}
	hour := p.number(2, 0, 23, "hour")
	p.eat(":")
	minute := p.number(2, 0, 59, "minute")
	p.eat(":")
	second := p.number(2, 0, 60, "second")
	millis := p.fraction()
	offset := p.zone()
	if len(p.rest) > 0 {
		p.fail("%s follows the zone", quoteCapped(p.rest))
	}
	if p.wrong != "" {
		return 0
	}
	t := time.Date(year, month, day, hour, minute, min(second, 59), 0, time.UTC).Add(-offset)
	if second == 60 && (p.expanded || !beforeLeap(t)) {
		p.fail("second 60 is only at 23:59:60 UTC on 30 June or 31 December")
	}
	ms := (t.Unix()+int64(second/60))*1000 + millis
	if ms < -maxWhen || ms > maxWhen {
		p.fail("it is beyond what JavaScript can tell, 100 million days from 1970")
	}
	return ms
}

// beforeLeap reports whether a leap second may follow t (RFC 3339, section 5.7).
func beforeLeap(t time.Time) bool {
	_, month, day := t.Date()
	return (month == time.June && day == 30 || month == time.December && day == 31) &&
		t.Hour() == 23 && t.Minute() == 59 && t.Second() == 59
}

// daysIn is the length of a month: day 0 of the next.
func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func (p *whenParser) fail(format string, args ...any) {
	if p.wrong == "" {
		p.wrong = fmt.Sprintf(format, args...)
		p.rest = nil
	}
}

// peek is the next byte, or 0 at the end.
func (p *whenParser) peek() byte {
	if len(p.rest) == 0 {
		return 0
	}
	return p.rest[0]
}

// unexpected fails because of the next byte.
func (p *whenParser) unexpected(want string) {
	if len(p.rest) == 0 {
		p.fail("it ends where %s should be", want)
	} else {
		p.fail("%s is where %s should be", quoteChar(p.rest), want)
	}
}

// eat takes one byte, which must be one of these.
func (p *whenParser) eat(these string) {
	for i := range len(these) {
		if len(p.rest) > 0 && p.rest[0] == these[i] {
			p.rest = p.rest[1:]
			return
		}
	}
	p.unexpected(fmt.Sprintf("%q", these[:1]))
}

// number takes exactly so many digits, which must make a number from low to high.
func (p *whenParser) number(digits, low, high int, what string) int {
	n := 0
	for range digits {
		c := p.peek()
		if c-'0' > 9 {
			p.unexpected("a digit of the " + what)
			return low
		}
		n = n*10 + int(c-'0')
		p.rest = p.rest[1:]
	}
	if n < low || n > high {
		p.fail("%s %0*d is not from %02d to %02d", what, digits, n, low, high)
		return low
	}
	return n
}

// year takes four digits, or a sign and six (ECMA-262, expanded years). With six, JavaScript never writes a year that
// four can tell, nor a year minus zero.
func (p *whenParser) year() int {
	sign := p.peek()
	if sign != '+' && sign != '-' {
		return p.number(4, 0, 9999, "year")
	}
	p.expanded, p.want = true, wantExpanded
	p.rest = p.rest[1:]
	year := p.number(6, 0, 999999, "year")
	if sign == '-' {
		year = -year
	}
	if 0 < year && year <= 9999 || year == 0 {
		p.fail("year %c%06d", sign, max(year, -year))
	}
	return year
}

// fraction takes the fraction of a second, if there is one, and returns it in milliseconds, rounded up.
func (p *whenParser) fraction() (ms int64) {
	if p.expanded {
		p.eat(".")
		return int64(p.number(3, 0, 999, "fraction"))
	}
	if p.peek() != '.' {
		return 0
	}
	p.rest = p.rest[1:]
	n := skipDigits(p.rest, 0)
	if n == 0 {
		p.unexpected("a digit of the fraction")
		return 0
	}
	up := int64(0)
	for i := range max(n, 3) {
		switch {
		case i >= 3:
			if p.rest[i] != '0' {
				up = 1
			}
		case i < n:
			ms = ms*10 + int64(p.rest[i]-'0')
		default:
			ms *= 10
		}
	}
	p.rest = p.rest[n:]
	return ms + up
}

// zone takes Z or an offset and returns how far the time is ahead of UTC. An unknown offset, -00:00, is UTC (RFC 3339,
// section 4.3).
func (p *whenParser) zone() time.Duration {
	c := p.peek()
	switch {
	case c == 'Z', c == 'z' && !p.expanded:
		p.rest = p.rest[1:]
		return 0
	case c != '+' && c != '-' || p.expanded:
		p.unexpected("the zone")
		return 0
	}
	p.rest = p.rest[1:]
	offset := time.Duration(p.number(2, 0, 23, "hour of the offset")) * time.Hour
	p.eat(":")
	offset += time.Duration(p.number(2, 0, 59, "minute of the offset")) * time.Minute
	if c == '-' {
		return -offset
	}
	return offset
}
