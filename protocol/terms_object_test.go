package protocol_test

import (
	"errors"
	"strings"
	"testing"

	"workman/protocol"
)

// TestReadTerms: names and values are as in RunTask, and what is wrong is said.
func TestReadTerms(t *testing.T) {
	check := func(url string) error {
		if url != "http://a.example/" {
			return errors.New("it may not go there")
		}
		return nil
	}
	got, err := protocol.ReadTerms([]byte(` { "priority" : 9, "attempts":3,"backoff":"1.5s","backoff_max":60,"timeout":"2m","ttl":null,"keep":"1h",`+
		`"labels":{"a":"b"},"callb\u0061ck":"http:\/\/a.example/"} `), protocol.RuleTerms, check)
	if err != nil || got.Priority != 9 || got.Attempts != 3 || got.Backoff != 1500 || got.BackoffMax != 60_000 || got.Timeout != 120_000 || got.TTL != -1 ||
		got.Keep != 3600_000 || string(got.Labels) != "a:b\n" || string(got.Callback) != "http://a.example/" {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := protocol.ReadTerms([]byte(`{}`), protocol.RuleTerms, nil); err != nil || got.Attempts != -1 || len(got.Labels) > 0 {
		t.Errorf("nothing: %+v %v", got, err)
	}
	for text, says := range map[string]string{
		`{"attempts":0}`: `"0" is no value for attempts: want a whole number from 1 to 100`, `{"key":"x"}`: `"key" is no term of these runs; there are priority, ttl`,
		`{"attempts":1,"attempts":2}`: "attempts is given twice", `{"timeout":true}`: "no value for timeout", `[1]`: "want an object", `{`: "not JSON",
		`{"callback":"http://b.example/"}`: "it may not go there", `{"labels":{"a":1}}`: "no value for labels", `{"deadline":"2027-01-31T12:00:00Z"}`: "is no term",
	} {
		if _, err := protocol.ReadTerms([]byte(text), protocol.RuleTerms, check); !errors.Is(err, protocol.ErrTerm) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", text, err, says)
		}
	}
}
