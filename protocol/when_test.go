package protocol_test

import (
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"workman/protocol"
)

func TestParseWhen(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-23T21:54:03Z", 1795470843000},
		{"2026-11-23t21:54:03z", 1795470843000},
		{"2026-11-23 21:54:03Z", 1795470843000},
		{"2026-11-23T21:54:03.000Z", 1795470843000},
		{"2026-11-23T21:54:03.5Z", 1795470843500},
		{"2026-11-23T21:54:03.05Z", 1795470843050},
		{"2026-11-23T21:54:03.005Z", 1795470843005},
		{"2026-11-23T21:54:03.0050000000000000000000Z", 1795470843005},
		{"2026-11-23T21:54:03.0050000000000000000001Z", 1795470843006},
		{"2026-11-23T21:54:03.0001Z", 1795470843001},
		{"2026-11-23T21:54:03.9999Z", 1795470844000},
		{"2026-11-23T21:54:03." + strings.Repeat("9", 10_000) + "Z", 1795470844000},
		{"1969-12-31T23:59:59.9991Z", 0},
		{"1969-12-31T23:59:59.998Z", -2},
		{"2026-11-23T21:54:03+00:00", 1795470843000},
		{"2026-11-23T21:54:03-00:00", 1795470843000},
		{"2026-11-23T21:54:03+01:30", 1795470843000 - 5400_000},
		{"2026-11-23T21:54:03-23:59", 1795470843000 + 86340_000},
		{"2024-02-29T00:00:00Z", 1709164800000},
		{"2000-02-29T00:00:00Z", 951782400000},
		{"0000-02-29T00:00:00Z", -62162121600000},
		{"0000-01-01T00:00:00Z", -62167219200000},
		{"9999-12-31T23:59:59.999Z", 253402300799999},
		{"9999-12-31T23:59:59-23:59", 253402300799000 + 86340_000},
		{"0000-01-01T00:00:00+23:59", -62167219200000 - 86340_000},
		// The leap seconds of RFC 3339, section 5.8.
		{"1990-12-31T23:59:60Z", 662688000000},
		{"1990-12-31T15:59:60-08:00", 662688000000},
		{"2015-06-30T23:59:60.5Z", 1435708800500},
		{"2015-07-01T05:29:60+05:30", 1435708800000},
		// What JavaScript writes beyond four digits.
		{"+275760-09-13T00:00:00.000Z", 8640000000000000},
		{"-271821-04-20T00:00:00.000Z", -8640000000000000},
		{"+010000-01-01T00:00:00.001Z", 253402300800001},
		{"-000001-12-31T23:59:59.999Z", -62167219200001},
		{"-000004-02-29T00:00:00.000Z", -62288352000000},
	} {
		if got, err := protocol.ParseWhen([]byte(c.text)); err != nil || got != c.want {
			t.Errorf("%.60s: %d, %v, want %d", c.text, got, err, c.want)
		}
		checkWhen(t, c.text)
	}
}

func TestParseWhenRefuses(t *testing.T) {
	const (
		plain    = "; want YYYY-MM-DDTHH:MM:SSZ"
		expanded = "; want ±YYYYYY-MM-DDTHH:MM:SS.sssZ, or YYYY-MM-DDTHH:MM:SSZ for the years 0000 to 9999"
	)
	for _, c := range []struct{ text, want string }{
		{"", "it ends where a digit of the year should be" + plain},
		{"garbage", "'g' is where a digit of the year should be" + plain},
		{"202-01-01T00:00:00Z", "'-' is where a digit of the year should be" + plain},
		{"12026-01-01T00:00:00Z", `'6' is where "-" should be` + plain},
		{" 2026-01-01T00:00:00Z", "' ' is where a digit of the year should be" + plain},
		{"2026-1-01T00:00:00Z", "'-' is where a digit of the month should be" + plain},
		{"2026-00-01T00:00:00Z", "month 00 is not from 01 to 12" + plain},
		{"2026-13-01T00:00:00Z", "month 13 is not from 01 to 12" + plain},
		{"2026-01-00T00:00:00Z", "day 00 is not from 01 to 31" + plain},
		{"2026-01-32T00:00:00Z", "day 32 is not from 01 to 31" + plain},
		{"2026-02-31T00:00:00Z", "February 2026 has 28 days" + plain},
		{"2026-02-29T00:00:00Z", "February 2026 has 28 days" + plain},
		{"1900-02-29T00:00:00Z", "February 1900 has 28 days" + plain},
		{"2024-02-30T00:00:00Z", "February 2024 has 29 days" + plain},
		{"2026-04-31T00:00:00Z", "April 2026 has 30 days" + plain},
		{"2026-01-01", `it ends where "T" should be` + plain},
		{"2026-01-01_00:00:00Z", `'_' is where "T" should be` + plain},
		{"2026-01-01T24:00:00Z", "hour 24 is not from 00 to 23" + plain},
		{"2026-01-01T1:00:00Z", "':' is where a digit of the hour should be" + plain},
		{"2026-01-01T00:60:00Z", "minute 60 is not from 00 to 59" + plain},
		{"2026-01-01T00:00:61Z", "second 61 is not from 00 to 60" + plain},
		{"2026-01-01T00:00Z", `'Z' is where ":" should be` + plain},
		{"2026-01-01T00:00:00", "it ends where the zone should be" + plain},
		{"2026-01-01T00:00:00.Z", "'Z' is where a digit of the fraction should be" + plain},
		{"2026-01-01T00:00:00.", "it ends where a digit of the fraction should be" + plain},
		{"2026-01-01T00:00:00,5Z", "',' is where the zone should be" + plain},
		{"2026-01-01T00:00:00.5", "it ends where the zone should be" + plain},
		{"2026-01-01T00:00:00CET", "'C' is where the zone should be" + plain},
		{"2026-01-01T00:00:00+24:00", "hour of the offset 24 is not from 00 to 23" + plain},
		{"2026-01-01T00:00:00+01:60", "minute of the offset 60 is not from 00 to 59" + plain},
		{"2026-01-01T00:00:00+0100", `'0' is where ":" should be` + plain},
		{"2026-01-01T00:00:00+01", `it ends where ":" should be` + plain},
		{"2026-01-01T00:00:00Zz", `"z" follows the zone` + plain},
		{"2026-01-01T00:00:00Z ", `" " follows the zone` + plain},
		{"2026-01-01T00:00:00+01:00Z", `"Z" follows the zone` + plain},
		{"2026-01-01T00:00:00Z\x00\xff", `"\x00\xff" follows the zone` + plain},
		{"2026-01-01T00:00:00\xffZ", `byte 0xff is where the zone should be` + plain},
		{"٢٠٢٦-01-01T00:00:00Z", `'\u0662' is where a digit of the year should be` + plain},
		{"2026-06-30T23:59:60+01:00", "second 60 is only at 23:59:60 UTC on 30 June or 31 December" + plain},
		{"2026-01-01T00:00:60Z", "second 60 is only at 23:59:60 UTC on 30 June or 31 December" + plain},
		{"2026-03-31T23:59:60Z", "second 60 is only at 23:59:60 UTC on 30 June or 31 December" + plain},
		{"2026-06-29T23:59:60Z", "second 60 is only at 23:59:60 UTC on 30 June or 31 December" + plain},
		{"2026-12-31T22:59:60Z", "second 60 is only at 23:59:60 UTC on 30 June or 31 December" + plain},
		{"2026-12-31T23:58:60Z", "second 60 is only at 23:59:60 UTC on 30 June or 31 December" + plain},
		{"-000000-01-01T00:00:00.000Z", "year -000000" + expanded},
		{"+000000-01-01T00:00:00.000Z", "year +000000" + expanded},
		{"+002026-01-01T00:00:00.000Z", "year +002026" + expanded},
		{"+009999-01-01T00:00:00.000Z", "year +009999" + expanded},
		{"+12026-01-01T00:00:00.000Z", "'-' is where a digit of the year should be" + expanded},
		{"+012026-01-01T00:00:00Z", `'Z' is where "." should be` + expanded},
		{"+012026-01-01T00:00:00.00Z", "'Z' is where a digit of the fraction should be" + expanded},
		{"+012026-01-01T00:00:00.0000Z", "'0' is where the zone should be" + expanded},
		{"+012026-01-01t00:00:00.000Z", `'t' is where "T" should be` + expanded},
		{"+012026-01-01T00:00:00.000z", "'z' is where the zone should be" + expanded},
		{"+012026-01-01T00:00:00.000+00:00", "'+' is where the zone should be" + expanded},
		{"+012026-12-31T23:59:60.000Z", "second 60 is only at 23:59:60 UTC on 30 June or 31 December" + expanded},
		{"-000001-02-29T00:00:00.000Z", "February -001 has 28 days" + expanded},
		{"+275760-09-13T00:00:00.001Z", "it is beyond what JavaScript can tell, 100 million days from 1970" + expanded},
		{"-271821-04-19T23:59:59.999Z", "it is beyond what JavaScript can tell, 100 million days from 1970" + expanded},
		{"+999999-01-01T00:00:00.000Z", "it is beyond what JavaScript can tell, 100 million days from 1970" + expanded},
	} {
		_, err := protocol.ParseWhen([]byte(c.text))
		if want := strconv.QuoteToASCII(c.text) + " is no time: " + c.want; err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, want)
			continue
		}
		checkWhen(t, c.text)
	}
	_, err := protocol.ParseWhen([]byte(strings.Repeat("\n", 1000)))
	if want := `"` + strings.Repeat(`\n`, 48) + `..." is no time: '\n' is where a digit of the year should be` + plain; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A time written in any way is the same time.
func TestParseWhenRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		ms := rnd.Int64N(2*8_640_000_000_000_000+1) - 8_640_000_000_000_000
		if rnd.IntN(2) == 0 {
			ms = rnd.Int64N(253402300800000+62167219200000) - 62167219200000
		}
		text := toISOString(ms)
		if got, err := protocol.ParseWhen([]byte(text)); err != nil || got != ms {
			t.Fatalf("%s: %d, %v, want %d", text, got, err, ms)
		}
	}
}

// toISOString is JavaScript's.
func toISOString(ms int64) string {
	u := time.UnixMilli(ms).UTC()
	year := strconv.Itoa(u.Year())
	if y := u.Year(); y < 0 {
		year = "-" + strings.Repeat("0", 6-len(year[1:])) + year[1:]
	} else if y > 9999 {
		year = "+" + strings.Repeat("0", 6-len(year)) + year
	} else {
		year = strings.Repeat("0", 4-len(year)) + year
	}
	return year + u.Format("-01-02T15:04:05.000Z")
}

func TestParseWhenAllocatesNothing(t *testing.T) {
	for _, text := range []string{"2026-11-23T21:54:03Z", "2026-11-23t21:54:03.123456789+01:30", "+275760-09-13T00:00:00.000Z", "2016-12-31T23:59:60Z"} {
		b := []byte(text)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := protocol.ParseWhen(b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

var (
	// time.Parse takes these too, though RFC 3339 doesn't: an hour of one digit, a comma for the point.
	lenientTime = regexp.MustCompile(`T\d:|,`)
	// RFC 3339's own form. The groups: year; second; fraction; offset's hour and minute.
	rfc3339 = regexp.MustCompile(`^(\d{4})-\d\d-\d\dT\d\d:\d\d:(\d\d)(?:\.(\d+))?(?:Z|[+-](\d\d):(\d\d))$`)
	// JavaScript's expanded form.
	expandedForm = regexp.MustCompile(`^[+-]\d{6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

// parseByTime is what time.Parse and a few rules make of a time.
func parseByTime(text string) (ms int64, ok bool) {
	if expandedForm.MatchString(text) {
		return parseExpanded(text)
	}
	if len(text) > 10 && text[10] == ' ' {
		text = text[:10] + "T" + text[11:]
	}
	text = strings.ToUpper(text)
	m := rfc3339.FindStringSubmatch(text)
	if m == nil || m[4] > "23" || m[5] > "59" { // time.Parse takes the offsets +24:00 and +00:60
		return 0, false
	}
	leap := m[2] == "60"
	if leap {
		text = strings.Replace(text, ":60", ":59", 1)
		if text[17:19] != "59" {
			return 0, false
		}
	}
	whole := text
	if m[3] != "" {
		whole = strings.Replace(text, "."+m[3], "", 1)
	}
	t, err := time.Parse(time.RFC3339Nano, whole)
	if err != nil {
		return 0, false
	}
	ms = t.UnixMilli()
	if leap {
		if clock := t.UTC().Format("01-02 15:04:05"); clock != "06-30 23:59:59" && clock != "12-31 23:59:59" {
			return 0, false
		}
		ms += 1000
	}
	digits := m[3] + "000"
	n, _ := strconv.Atoi(digits[:3])
	if strings.Trim(digits[3:], "0") != "" {
		n++
	}
	return ms + int64(n), true
}

// parseExpanded moves the year by whole cycles of the calendar, 400 years of 146,097 days, to where time.Parse knows it.
func parseExpanded(text string) (ms int64, ok bool) {
	year, _ := strconv.Atoi(text[:7])
	if 0 <= year && year <= 9999 {
		return 0, false
	}
	cycles := (year+400_000)/400 - 1000
	known := strconv.Itoa(year - cycles*400 + 2000)
	t, err := time.Parse(time.RFC3339Nano, known+text[7:])
	ms = t.UnixMilli() + int64(cycles-5)*146_097*86_400_000
	return ms, err == nil && -8_640_000_000_000_000 <= ms && ms <= 8_640_000_000_000_000
}

// checkWhen compares ParseWhen with time.Parse.
func checkWhen(t testing.TB, text string) {
	want, ok := parseByTime(text)
	got, err := protocol.ParseWhen([]byte(text))
	if (err == nil) != ok || ok && got != want {
		t.Errorf("%q: %d, %v, want %d, %v", text, got, err, want, ok)
	}
	if err != nil {
		checkValueError(t, err)
	}
	// And without those rules: what time.Parse takes, but for its known leniency, is the same moment rounded up.
	std, stdErr := time.Parse(time.RFC3339Nano, text)
	if stdErr == nil && err != nil && !lenientTime.MatchString(text) && !strings.Contains(text, "+24:") && !strings.Contains(text, "-24:") && !strings.HasSuffix(text, ":60") {
		t.Errorf("%q: %v, but time.Parse takes it", text, err)
	}
	if stdErr == nil && err == nil {
		if late := time.UnixMilli(got).Sub(std); late < 0 || late > time.Millisecond {
			t.Errorf("%q: %v after %v", text, late, std)
		}
	}
}

func FuzzWhen(f *testing.F) {
	f.Add("2026-11-23T21:54:03.123Z")
	f.Add("2016-12-31T15:59:60.5-08:00")
	f.Add("+275760-09-13T00:00:00.000Z")
	f.Fuzz(func(t *testing.T, text string) { checkWhen(t, text) })
}
