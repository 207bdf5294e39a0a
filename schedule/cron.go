package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Cron says when something recurs: an expression of cron, or a span of time. Make one with [ParseCron].
type Cron struct {
	every  int64 // milliseconds; 0: the fields count
	fields [6]uint64
	// A day is meant if day of month and day of week both fit, or either of them if neither begins with a star.
	either bool
	hourly bool // all hours are meant
}

// The fields, in the order in which they are written when there are six.
const (
	second = iota
	minute
	hour
	dayOfMonth
	month
	dayOfWeek
)

// field is what may stand in one.
type field struct {
	name      string
	low, high int
	words     []string // names for the values from low on
}

var fieldsOf = [6]field{
	{name: "second", high: 59},
	{name: "minute", high: 59},
	{name: "hour", high: 23},
	{name: "day of month", low: 1, high: 31},
	{name: "month", low: 1, high: 12, words: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{name: "day of week", high: 7, words: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}, // 7 is Sunday too
}

// shorthands are expressions with a name.
var shorthands = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// Bounds of what follows @every.
const (
	shortest = time.Second
	longest  = 10 * 365 * 24 * time.Hour
)

// MaxCron is how long an expression may be, in bytes.
const MaxCron = 256

// ErrCron is returned for what is no expression of cron, with the field, its value and what is allowed there.
var ErrCron = errors.New("no cron expression")

// ParseCron reads an expression: five fields (minute, hour, day of month, month, day of week), six with seconds in front,
// @yearly, @monthly, @weekly, @daily, @hourly and their other names, or @every and a duration. The error is ErrCron, and is
// for whoever wrote the expression.
func ParseCron(text string) (Cron, error) {
	if len(text) > MaxCron {
		return Cron{}, fmt.Errorf("%w: it has %d bytes, and may have %d", ErrCron, len(text), MaxCron)
	}
	words := strings.Fields(text)
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		if strings.EqualFold(words[0], "@every") {
			return parseEvery(words[1:])
		}
		long, ok := shorthands[strings.ToLower(words[0])]
		if !ok || len(words) > 1 {
			return Cron{}, fmt.Errorf("%w: %.40q is not known; there are @yearly, @monthly, @weekly, @daily, @hourly, and @every with a duration",
				ErrCron, text)
		}
		words = strings.Fields(long)
	}
	switch len(words) {
	case 5:
		words = append([]string{"0"}, words...)
	case 6:
	default:
		return Cron{}, fmt.Errorf("%w: %.80q has %d fields; want five (minute, hour, day of month, month, day of week), or six with seconds in front",
			ErrCron, text, len(words))
	}
	return parseFields(words)
}

func parseEvery(words []string) (Cron, error) {
	if len(words) != 1 {
		return Cron{}, fmt.Errorf("%w: @every wants one duration behind it, like @every 90s or @every 1h30m", ErrCron)
	}
	d, err := time.ParseDuration(words[0])
	if err != nil || d < shortest || d > longest {
		return Cron{}, fmt.Errorf("%w: @every is followed by %.40q; want a duration like 90s or 1h30m, from 1s to 87600h", ErrCron, words[0])
	}
	return Cron{every: int64((d + time.Millisecond - 1) / time.Millisecond)}, nil
}

func parseFields(words []string) (c Cron, err error) {
	for i, word := range words {
		if c.fields[i], err = fieldsOf[i].parse(word); err != nil {
			return Cron{}, err
		}
	}
	if c.fields[dayOfWeek]&(1<<7) != 0 {
		c.fields[dayOfWeek] = c.fields[dayOfWeek]&^(1<<7) | 1
	}
	c.either = !startsWithStar(words[dayOfMonth]) && !startsWithStar(words[dayOfWeek])
	c.hourly = bits.OnesCount64(c.fields[hour]) == 24
	if _, ok := c.match(0); !ok {
		return Cron{}, fmt.Errorf("%w: day of month is %q and month is %q: there is no such day", ErrCron, words[dayOfMonth], words[month])
	}
	return c, nil
}

func startsWithStar(word string) bool { return word[0] == '*' || word[0] == '?' }

// parse reads one field, as a set of bits.
func (f *field) parse(word string) (set uint64, err error) {
	for part := range strings.SplitSeq(word, ",") {
		one, why := f.part(part)
		if why != "" {
			return 0, fmt.Errorf("%w: %s is %.40q%s; want a number from %d to %d%s, a range like %d-%d, * for all, a step like */%d, or several of these with commas between",
				ErrCron, f.name, word, why, f.low, f.high, f.named(), f.low+1, f.low+3, 2)
		}
		set |= one
	}
	return set, nil
}

// named says which names there are.
func (f *field) named() string {
	if f.words == nil {
		return ""
	}
	return fmt.Sprintf(" or a name from %s to %s", f.words[0], f.words[len(f.words)-1])
}

// part reads one item of a list. why is what is wrong with it, to be put behind the field's value; empty if nothing is.
func (f *field) part(text string) (set uint64, why string) {
	span, stepText, stepped := strings.Cut(text, "/")
	step := 1
	if stepped {
		n, err := strconv.ParseUint(stepText, 10, 8)
		if err != nil || n == 0 || int(n) > f.high {
			return 0, fmt.Sprintf(", where the step %.20q is none", stepText)
		}
		step = int(n)
	}
	low, high := f.low, f.high
	if span == "*" || span == "?" {
		if high == 7 {
			high = 6
		}
	} else {
		from, to, ranged := strings.Cut(span, "-")
		var ok bool
		if low, ok = f.value(from); !ok {
			return 0, fmt.Sprintf(", where %.20q is none of them", from)
		}
		switch {
		case ranged:
			if high, ok = f.value(to); !ok {
				return 0, fmt.Sprintf(", where %.20q is none of them", to)
			}
			if high == 0 && f.high == 7 && low > 0 { // Sunday, at the end of the week: mon-sun
				high = 7
			}
		case !stepped:
			high = low
		}
		if low > high {
			return 0, fmt.Sprintf(", where %s runs backwards", span)
		}
	}
	for v := low; v <= high; v += step {
		set |= 1 << v
	}
	return set, ""
}

// value reads a number or a name.
func (f *field) value(text string) (int, bool) {
	for i, w := range f.words {
		if strings.EqualFold(text, w) {
			return f.low + i, true
		}
	}
	n, err := strconv.ParseUint(text, 10, 8)
	return int(n), err == nil && text[0] != '+' && int(n) >= f.low && int(n) <= f.high
}
