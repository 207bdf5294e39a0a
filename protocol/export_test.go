package protocol

import "workman/dispatch"

// Fits reports whether a session expects messages with the layout of this one.
func Fits(f *Front, s *Session, message []byte) bool { return f.known.find(s, message) != nil }

// Duration, Key, Trace and Prefer read what a request says of its run.
func Duration(b []byte) (ms int64, ok bool) {
	ok = parseDuration(b, &ms)
	return ms, ok
}

func Key(field []byte) ([]byte, bool) { return appendKey(nil, field) }

func Trace(b []byte) int { return traceLen(b) }

func Prefer(fields ...[]byte) (async bool, wait int64) {
	p := preferences{wait: -1}
	for _, f := range fields {
		p.add(f)
	}
	return p.async, p.wait
}

// Note is what comes back of a note with these entity tags and preferences, and whether it knows a document.
func Note(async bool, wait int64, ifNoneMatch string, doc []byte) (applied string, knows bool) {
	n := note{async: async, waited: wait >= 0, wait: max(wait, 0)}
	n.expect([]byte(ifNoneMatch))
	if n.empty() {
		return "", false
	}
	n = noteOf(n.append(nil))
	return n.applied(false), n.knows(tagOf(doc))
}

// SplitLines and SplitArray find the options of many runs; or the type and the detail of what is wrong.
func SplitLines(body []byte) (lines []string, kind, detail string) {
	spans, bad := splitLines(body, nil)
	if bad != nil {
		return nil, bad.typ, bad.detail
	}
	return textsOf(body, spans), "", ""
}

func SplitArray(array []byte) (elements []string, kind string) {
	spans, bad := splitArray(array, dispatch.Span{Len: uint32(len(array))}, nil)
	if bad != nil {
		return nil, bad.typ
	}
	return textsOf(array, spans), ""
}

func textsOf(b []byte, spans []dispatch.Span) (all []string) {
	for _, at := range spans {
		all = append(all, string(at.Of(b)))
	}
	return all
}
