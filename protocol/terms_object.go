package protocol

import (
	"errors"
	"slices"
	"strings"

	"workman/dispatch"
)

// ErrTerm is returned for a term that is none, or has a value that it cannot have; the error says which, and what it may be.
var ErrTerm = errors.New("no term")

// termError is one, for people.
type termError string

// Error says what is wrong.
func (e termError) Error() string { return string(e) }

// Is makes it an ErrTerm.
func (termError) Is(err error) bool { return err == ErrTerm }

// RuleTerms are what may be said of the runs of a schedule: what RunTask has, without what is about one request.
var RuleTerms = []string{"priority", "ttl", "attempts", "backoff", "backoff_max", "timeout", "keep", "labels", "callback"}

// ReadTerms reads terms from a JSON object, with names and values as RunTask has them; allowed are the names that there may
// be. check tells whether a callback's URL may be called; nil: there are no callbacks. The error is ErrTerm.
func ReadTerms(object []byte, allowed []string, check func(url string) error) (dispatch.Terms, error) {
	span, err := ValidJSON(object)
	if err != nil {
		return dispatch.Terms{}, termError(err.Error())
	}
	if object = span.Of(object); object[0] != '{' {
		return dispatch.Terms{}, termError("the terms are " + quoteCapped(object) + "; want an object, like {\"attempts\":3}")
	}
	f := Front{CheckCallback: check}
	f.asked.reset()
	for i := skipWhite(object, 1); object[i] != '}'; {
		next, _ := scanKey(object, i)
		end, _ := scanText(object, i+1)
		from := skipWhite(object, next)
		to, _ := scanValue(object, from, MaxDepth)
		if bad := f.asked.member(object[i+1:end-1], object[from:to], allowed); bad != nil {
			return dispatch.Terms{}, termError(bad.detail)
		}
		if i = skipWhite(object, to); object[i] == ',' {
			i = skipWhite(object, i+1)
		}
	}
	if bad := f.checkCallback(); bad != nil {
		return dispatch.Terms{}, termError(bad.detail)
	}
	f.asked.Labels = f.asked.labels
	return f.asked.Terms, nil
}

// member takes one member of such an object.
func (a *asked) member(key, value []byte, allowed []string) *refusal {
	for i := range terms {
		t := &terms[i]
		if !sameText(key, []byte(t.name)) || !slices.Contains(allowed, t.name) {
			continue
		}
		switch plain, ok := a.plain(t, value); {
		case a.seen&(1<<i) != 0:
			return wrongTerm(t.name + " is given twice")
		case string(value) == "null":
			return nil // as if it were left out
		case !ok:
			return t.wrong(value)
		default:
			a.seen |= 1 << i
			return a.take(t, plain)
		}
	}
	return wrongTerm(quoteCapped(key) + " is no term of these runs; there are " + strings.Join(allowed, ", "))
}

// Refusal is what a reason means to who was refused: a status, the type of the problem, what to do, and after how many
// seconds it makes sense to try again; 0 is that it does not.
func Refusal(why dispatch.Reason) (status int, kind, text string, after int) {
	r := &refusals[why]
	return r.status, r.kind, r.text, r.after
}
