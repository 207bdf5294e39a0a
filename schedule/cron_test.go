package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"workman/schedule"
)

// TestParseCron: what is wrong with an expression is said with the field, its value and what may stand there.
func TestParseCron(t *testing.T) {
	for _, good := range []string{
		"* * * * *", "*/15 * * * *", "0 3 * * *", "30 0 3 * * *", "0 0 29 2 *", "5,10-20/3,59 1-3 1 jan-MAR,12 sun", "0 0 ? * 7", "10/20 * * * *",
		"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@Midnight", "@hourly", "@every 90s", "@Every 1h30m", "* * * * mon-sun", "  0  3 * *   * ",
	} {
		if _, err := schedule.ParseCron(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, c := range []struct{ text, says string }{
		{"", "has 0 fields; want five"},
		{"* * * *", "has 4 fields"},
		{"60 * * * *", `minute is "60", where "60" is none of them; want a number from 0 to 59`},
		{"* 24 * * *", `hour is "24"`},
		{"* * 0 * *", `day of month is "0"`},
		{"* * * 13 *", `month is "13"`},
		{"* * * * 8", `day of week is "8"`},
		{"* * * * monday", `want a number from 0 to 7 or a name from sun to sat`},
		{"60 * * * * *", `second is "60"`},
		{"*/0 * * * *", `where the step "0" is none`},
		{"*/x * * * *", `where the step "x" is none`},
		{"22-6 * * * *", `where 22-6 runs backwards`},
		{"* * * * fri-mon", `where fri-mon runs backwards`},
		{"1-99 * * * *", `where "99" is none of them`},
		{"1,,2 * * * *", `minute is "1,,2"`},
		{"+1 * * * *", `minute is "+1"`},
		{"-1 * * * *", `minute is "-1"`},
		{"0 0 30 2 *", `day of month is "30" and month is "2": there is no such day`},
		{"@reboot", `"@reboot" is not known; there are @yearly`},
		{"@daily 3", `"@daily 3" is not known`},
		{"@every", "@every wants one duration"},
		{"@every 1m 2m", "@every wants one duration"},
		{"@every 500ms", `from 1s to 87600h`},
		{"@every 90", `"90"; want a duration`},
		{strings.Repeat("1,", 200) + "1 * * * *", "it has 409 bytes, and may have 256"},
	} {
		_, err := schedule.ParseCron(c.text)
		if !errors.Is(err, schedule.ErrCron) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %s", c.text, err, c.says)
		}
	}
}

// TestNextExamples: what the documents say of the two changes of clocks.
func TestNextExamples(t *testing.T) {
	for _, c := range []struct {
		zone, cron, after string
		want              []string // in the zone
	}{
		{"UTC", "0 3 * * *", "2026-01-01T00:00:00Z", []string{"2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"}},
		{"UTC", "*/20 5 0 1 1 *", "2026-01-01T00:04:59Z", []string{"2026-01-01T00:05:00Z", "2026-01-01T00:05:20Z", "2026-01-01T00:05:40Z", "2027-01-01T00:05:00Z"}},
		{"UTC", "0 0 13 * 5", "2026-02-01T00:00:00Z", []string{"2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"}},
		{"UTC", "0 0 */2 * 1", "2026-02-01T00:00:00Z", []string{"2026-02-09T00:00:00Z", "2026-02-23T00:00:00Z"}},
		{"UTC", "0 0 29 2 *", "2097-01-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"UTC", "0 0 * * 7", "2026-11-26T00:00:00Z", []string{"2026-11-29T00:00:00Z"}},
		{"UTC", "0 0 * * sat-sun", "2026-11-26T00:00:00Z", []string{"2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-05T00:00:00Z"}},
		{"UTC", "0 0 * * sun-mon", "2026-11-26T00:00:00Z", []string{"2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-06T00:00:00Z"}},
		// 03:00 to 04:00 is left out, on 2027-03-28; it is there twice on 2026-10-25.
		{"Europe/Helsinki", "30 3 * * *", "2027-03-27T12:00:00Z", []string{"2027-03-28T04:00:00+03:00", "2027-03-29T03:30:00+03:00"}},
		{"Europe/Helsinki", "30 3 * * *", "2026-10-24T12:00:00Z", []string{"2026-10-25T03:30:00+03:00", "2026-10-26T03:30:00+02:00"}},
		{"Europe/Helsinki", "*/30 * * * *", "2026-10-25T00:00:00Z", []string{
			"2026-10-25T03:30:00+03:00", "2026-10-25T03:00:00+02:00", "2026-10-25T03:30:00+02:00", "2026-10-25T04:00:00+02:00"}},
		{"Europe/Helsinki", "*/30 * * * *", "2027-03-28T00:00:00Z", []string{"2027-03-28T02:30:00+02:00", "2027-03-28T04:00:00+03:00"}},
		{"Europe/Helsinki", "*/30 3-4 * * *", "2027-03-27T20:00:00Z", []string{"2027-03-28T04:00:00+03:00", "2027-03-28T04:30:00+03:00"}},
		{"Europe/Helsinki", "*/30 3-4 * * *", "2026-10-24T20:00:00Z", []string{
			"2026-10-25T03:00:00+03:00", "2026-10-25T03:30:00+03:00", "2026-10-25T04:00:00+02:00", "2026-10-25T04:30:00+02:00"}},
		{"America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z", []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		{"Africa/Casablanca", "30 2 * * *", "2026-02-14T12:00:00Z", []string{"2026-02-15T02:30:00+01:00", "2026-02-16T02:30:00Z"}},
		{"America/Havana", "15 0 * * *", "2026-03-07T12:00:00Z", []string{"2026-03-08T01:00:00-04:00", "2026-03-09T00:15:00-04:00"}},
		// Apia had no 30 December 2011.
		{"Pacific/Apia", "0 3 * * *", "2011-12-29T00:00:00Z", []string{"2011-12-29T03:00:00-10:00", "2011-12-31T03:00:00+14:00"}},
		{"Pacific/Apia", "0 * * * *", "2011-12-30T09:00:00Z", []string{"2011-12-31T00:00:00+14:00", "2011-12-31T01:00:00+14:00"}},
	} {
		in := zone(t, c.zone)
		cron, err := schedule.ParseCron(c.cron)
		if err != nil {
			t.Fatal(err)
		}
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		at := after.UnixMilli()
		for _, want := range c.want {
			next, ok := cron.Next(in, 0, at)
			if got := time.UnixMilli(next).In(in).Format(time.RFC3339); !ok || got != want {
				t.Errorf("%s in %s after %s: %s, want %s", c.cron, c.zone, time.UnixMilli(at).In(in).Format(time.RFC3339), got, want)
				break
			}
			at = next
		}
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	in, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestEvery: a span of time is counted from where it was set, whatever the clocks on the walls do.
func TestEvery(t *testing.T) {
	cron, err := schedule.ParseCron("@every 90s")
	if err != nil {
		t.Fatal(err)
	}
	in := zone(t, "Europe/Helsinki")
	from := time.Date(2026, 10, 24, 23, 59, 0, 7e6, time.UTC).UnixMilli()
	for _, c := range []struct{ after, want int64 }{
		{from - 1e6, from + 90_000}, {from - 1, from + 90_000}, {from, from + 90_000}, {from + 1, from + 90_000},
		{from + 89_999, from + 90_000}, {from + 90_000, from + 180_000}, {from + 100*90_000, from + 101*90_000},
	} {
		if got, ok := cron.Next(in, from, c.after); !ok || got != c.want {
			t.Errorf("after %d: %d, want %d", c.after-from, got-from, c.want-from)
		}
	}
}

// TestCalendar: what is not known has no next time, and what was remembered is right.
func TestCalendar(t *testing.T) {
	loads := 0
	c := schedule.NewCalendar(func(name string) (*time.Location, error) {
		loads++
		return time.LoadLocation(name)
	})
	for range 3 {
		if got := c.Next([]byte("0 3 * * *"), []byte("Europe/Helsinki"), 0, 0); got != 3600_000 {
			t.Errorf("after 1970-01-01T02:00 in Helsinki: %d", got)
		}
		for _, unknown := range [][2]string{{"0 3 * *", "UTC"}, {"0 3 * * *", "Europe/Nowhere"}} {
			if got := c.Next([]byte(unknown[0]), []byte(unknown[1]), 0, 0); got != 0 {
				t.Errorf("%v: %d", unknown, got)
			}
		}
	}
	if loads != 5 { // two that are known, once each; the other each time, since it may come
		t.Errorf("zones were loaded %d times, want 5", loads)
	}
}
