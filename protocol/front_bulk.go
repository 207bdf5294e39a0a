package protocol

import (
	"net/http"
	"slices"
	"strconv"

	"workman/dispatch"
)

// runLines makes an event of each line of a request's body: they are runs of one task, with the same terms, in one input, so
// that one commit makes all of them durable.
func (f *Front) runLines(s *Session, r *Request, name []byte) {
	body := r.Body.Of(r.Base)
	var bad *refusal
	if f.bulk, bad = splitLines(body, f.bulk[:0]); bad != nil {
		f.refuse(s, r, bad.status, bad.typ, bad.detail)
		return
	}
	if !f.queried(s, r) {
		return
	}
	text, err := DecodePathSegment(nil, name)
	if err == nil {
		err = CheckName(text)
	}
	switch a := &f.asked; {
	case err != nil:
		bad = &refusal{status: http.StatusBadRequest, typ: ProblemBadName, detail: err.Error()}
	case a.odd != nil:
		bad = a.odd
	default:
		bad = f.checkBulk()
	}
	if bad != nil {
		f.refuse(s, r, bad.status, bad.typ, bad.detail)
		return
	}
	g := s.f.gather(s, len(f.bulk))
	g.seq, g.name, g.async = r.Seq, text, f.asked.async
	f.makeBulk(s, g, body)
}

// runTasksOf is the same for a message, whose options are an array.
func (f *Front) runTasksOf(s *Session, base []byte) {
	m := &f.msg
	name := m.Name.Of(base)
	if err := CheckName(name); err != nil {
		f.invalid(s, base, ProblemBadName, "\"name\": "+err.Error())
		return
	}
	var bad *refusal
	if f.bulk, bad = splitArray(base, m.Options, f.bulk[:0]); bad == nil {
		bad = f.said(base, dispatch.RunTask)
	}
	if bad == nil && f.asked.wait >= 0 {
		bad = wrongTerm("wait is no term of RunTasks, which is answered when the runs are stored: ask with GetRun and wait")
	}
	if bad == nil {
		bad = f.checkBulk()
	}
	if bad != nil {
		f.invalidAs(s, base, bad)
		return
	}
	s.Tag &^= tagStrikes
	g := s.f.gather(s, len(f.bulk))
	g.nonce, g.name = slices.Clone(m.Nonce.Of(base)), slices.Clone(name)
	f.makeBulk(s, g, base)
}

// checkBulk says what is wrong with the terms for so many runs, and settles them: they are runs, acknowledged once they are
// stored.
func (f *Front) checkBulk() *refusal {
	a, n := &f.asked, len(f.bulk)
	a.settle(dispatch.RunTask)
	a.Promise, a.Reply, a.Wait = true, dispatch.ReplyAccepted, 0
	if a.Key != nil && len(a.Key)+1+len(strconv.Itoa(n-1)) > maxKey {
		return &refusal{status: http.StatusBadRequest, typ: ProblemBadKey, detail: quoteCapped(a.Key) + " is too long a key for " +
			strconv.Itoa(n) + " runs: each has it with a slash and its number behind it, in at most 255 bytes"}
	}
	if n*len(a.Terms.Append(nil)) > maxBulkTerms {
		return tooManyTerms
	}
	return nil
}

// makeBulk makes the events. All that they need goes to the scratch: their name, and the terms, unless each has a key of its
// own, once.
func (f *Front) makeBulk(s *Session, g *gathering, base []byte) {
	f.ownBase(s)
	a, key := &f.asked, f.asked.Key
	name := f.copied(g.name)
	terms := f.copied(a.Terms.Append(nil))
	size := 0
	for _, at := range f.bulk {
		size += int(at.Len) + 2*len(`0000000000`)
		if key != nil {
			size += int(terms.Len) + len(`/0000`)
		}
	}
	f.scratch = slices.Grow(f.scratch, size)
	f.events = slices.Grow(f.events, len(f.bulk))
	var own [maxKey]byte
	for i, at := range f.bulk {
		e := f.event(s, nil)
		e.Kind, e.Seq, e.Name, e.Body = dispatch.RunTask, g.seq, name, f.copied(at.Of(base))
		if i < len(f.bulk)-1 {
			e.Count = 1 // the next one is of the same request
		}
		if key != nil {
			a.Key = strconv.AppendInt(append(append(own[:0], key...), '/'), int64(i), 10)
			terms = spanOf(len(f.scratch), len(f.scratch))
			f.scratch = a.Terms.Append(f.scratch)
			terms.Len = uint32(len(f.scratch)) - terms.Off
		}
		e.Terms = terms
		start := len(f.scratch)
		f.scratch = g.appendMember(f.scratch, i)
		e.Nonce = spanOf(start, len(f.scratch))
	}
	f.base = f.scratch
}
