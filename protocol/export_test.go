package protocol

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
