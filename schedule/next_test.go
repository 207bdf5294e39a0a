package schedule_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
	_ "time/tzdata"

	"workman/schedule"
)

// fields is an expression as the oracle has it: which values fit, of minute, hour, day of month, month and day of week.
type fields struct {
	text [5]string
	fits [5]map[int]bool
}

// Next is held to an oracle that goes through the minutes of years, one by one, and knows nothing of zones' changes: it sees
// only what the clock shows.

// randomFields draws an expression of minutes.
func randomFields(r *rand.Rand) (f fields) {
	bounds := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}
	for i, b := range bounds {
		f.fits[i] = map[int]bool{}
		step, low, high := 1, b[0], b[1]
		odds := []int{5, 4, 2, 2, 2}[i] // out of 6 that it is not a star
		switch {
		case r.IntN(6) >= odds:
			f.text[i] = "*"
		case r.IntN(3) == 0:
			step = 1 + r.IntN(high)
			f.text[i] = "*/" + strconv.Itoa(step)
		case r.IntN(2) == 0:
			low = low + r.IntN(high-low+1)
			high = low + r.IntN(high-low+1)
			f.text[i] = strconv.Itoa(low) + "-" + strconv.Itoa(high)
		default:
			low = low + r.IntN(high-low+1)
			if i == 1 { // where clocks are changed, as a rule
				low = r.IntN(5)
			}
			high = low
			f.text[i] = strconv.Itoa(low)
		}
		for v := low; v <= high; v += step {
			f.fits[i][v] = true
		}
	}
	return f
}

func (f *fields) String() string {
	return f.text[0] + " " + f.text[1] + " " + f.text[2] + " " + f.text[3] + " " + f.text[4]
}

// means tells whether a reading of the clock, as if it were of UTC, is meant.
func (f *fields) means(n int64) bool {
	t := time.Unix(n, 0).UTC()
	if !f.fits[0][t.Minute()] || !f.fits[1][t.Hour()] || !f.fits[3][int(t.Month())] {
		return false
	}
	ofMonth, ofWeek := f.fits[2][t.Day()], f.fits[4][int(t.Weekday())]
	if f.text[2][0] == '*' || f.text[4][0] == '*' {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

// readings are what the clock of a zone shows, minute by minute.
func readings(in *time.Location, from, to int64) (all []int64) {
	for at := from; at < to; at += 60 {
		_, offset := time.Unix(at, 0).In(in).Zone()
		all = append(all, at+int64(offset))
	}
	return all
}

// expected are the instants at which an expression recurs.
func (f *fields) expected(from int64, shown []int64) (all []int64) {
	days := map[int64]bool{}
	for _, n := range shown {
		days[n/86400] = true
	}
	highest := shown[0]
	for i, n := range shown[1:] { // the first is only what was before
		at := from + int64(i+1)*60
		if len(f.fits[1]) == 24 {
			if f.means(n) {
				all = append(all, at)
			}
			continue
		}
		reached := false
		for m := highest + 60; m <= n; m += 60 { // the clock has come so far for the first time
			reached = reached || days[m/86400] && f.means(m)
		}
		if highest = max(highest, n); reached {
			all = append(all, at)
		}
	}
	return all
}

// TestNextAgainstEveryMinute goes through years in zones with changes of all kinds.
func TestNextAgainstEveryMinute(t *testing.T) {
	for _, c := range []struct {
		zone     string
		from, to int // years
	}{
		{"UTC", 2026, 2027}, {"Europe/Helsinki", 2025, 2028}, {"America/New_York", 2025, 2028}, {"Australia/Lord_Howe", 2025, 2028},
		{"Africa/Casablanca", 2025, 2028}, {"Pacific/Apia", 2010, 2013}, {"America/Havana", 2025, 2027}, {"America/Sao_Paulo", 2016, 2019},
		{"Europe/Dublin", 2026, 2027}, {"America/Nuuk", 2023, 2025}, {"Pacific/Kwajalein", 1993, 1994}, {"Antarctica/Troll", 2026, 2027},
		{"Asia/Gaza", 2025, 2027},
	} {
		t.Run(c.zone, func(t *testing.T) {
			t.Parallel()
			in := zone(t, c.zone)
			from := time.Date(c.from, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
			to := time.Date(c.to, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
			shown := readings(in, from, to)
			r := rand.New(rand.NewPCG(7, uint64(from)))
			rules := 6
			if testing.Short() {
				rules = 3
			}
			for range rules {
				f := randomFields(r)
				cron, err := schedule.ParseCron(f.String())
				if err != nil {
					continue // there is no such day
				}
				compare(t, &f, &cron, in, f.expected(from, shown), from, to)
			}
		})
	}
}

// compare wants each of the times, and no other: from the one before, and from instants between. Of a great many, it looks at
// those near changes of the clock, and some of the others.
func compare(t *testing.T, f *fields, cron *schedule.Cron, in *time.Location, want []int64, from, to int64) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	before, stride := from, 1+len(want)/2000
	for i, at := range append(want, to) {
		if i%stride == 0 || at == to || isNearChange(in, at) {
			for _, after := range []int64{before, before + r.Int64N(at-before), at - 1} {
				got, ok := cron.Next(in, 0, after*1000+r.Int64N(1000))
				if at == to && (!ok || got >= to*1000) {
					continue
				}
				if got != at*1000 {
					t.Errorf("%s in %s after %s: %s, want %s", f, in, show(in, after), show(in, got/1000), show(in, at))
					return
				}
			}
		}
		before = at
	}
}

// isNearChange tells whether the clock of a zone is changed within hours.
func isNearChange(in *time.Location, at int64) bool {
	_, before := time.Unix(at-3*3600, 0).In(in).Zone()
	_, after := time.Unix(at+3*3600, 0).In(in).Zone()
	return before != after
}

func show(in *time.Location, at int64) string { return time.Unix(at, 0).In(in).Format(time.RFC3339) }

// TestNextNeverGoesBack: whatever the zone, each next time is after the one before, also with seconds and through centuries.
func TestNextNeverGoesBack(t *testing.T) {
	for _, zoneName := range []string{"Europe/Helsinki", "Pacific/Apia", "Asia/Manila", "America/Juneau", "Africa/Monrovia"} {
		in := zone(t, zoneName)
		for _, text := range []string{"*/7 13 2,14 * * *", "0 0 12 1 * *", "59 59 23 * * 1", "30 15 * * * *"} {
			cron, err := schedule.ParseCron(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, year := range []int{1840, 1919, 1993, 2011, 2090} {
				at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
				for range 500 {
					next, ok := cron.Next(in, 0, at)
					if !ok || next <= at {
						t.Fatalf("%s in %s after %s: %d", text, zoneName, show(in, at/1000), next)
					}
					at = next
				}
			}
		}
	}
}

func BenchmarkCron(b *testing.B) {
	in := zone(b, "Europe/Helsinki")
	for _, text := range []string{"0 3 * * *", "*/15 * * * *", "0 0 29 2 *"} {
		b.Run(text, func(b *testing.B) {
			cron, err := schedule.ParseCron(text)
			if err != nil {
				b.Fatal(err)
			}
			at := int64(1_800_000_000_000)
			for b.Loop() {
				if next, _ := cron.Next(in, 0, at); next <= at {
					b.Fatal(next)
				}
			}
		})
	}
}
