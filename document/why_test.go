package document_test

import (
	"strings"
	"testing"

	"workman/dispatch"
	"workman/document"
)

// TestWhyOne: one worker is not each of the 1 workers, and one run comes, where two come.
func TestWhyOne(t *testing.T) {
	for _, c := range []struct {
		why  dispatch.Why
		want string
	}{
		{dispatch.Why{Workers: 1, Ahead: 1}, "the one worker that registered its task has as many as it asked for; 1 comes before it"},
		{dispatch.Why{Workers: 2, Ahead: 2, AtLeast: true}, "each of the 2 workers that registered its task has as many as it asked for; at least 2 come before it"},
	} {
		c.why.Code = dispatch.WhyBusy
		if got := string(document.AppendWhy(nil, &c.why)); !strings.Contains(got, c.want) {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
