package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// patient is how long a log says nothing, while something takes long.
const patient = 10 * time.Second

// progress tells on stderr what the bench is doing. One goroutine uses it.
type progress struct {
	w        io.Writer
	terminal bool
	shown    bool      // a live line stands there
	last     time.Time // when a line was written that stays
}

// newProgress writes to f, with live lines if it is a terminal.
func newProgress(f *os.File) *progress {
	return &progress{w: f, terminal: isTerminal(f), last: time.Now()}
}

// live replaces the live line. Where there is no terminal it writes one now and
// then.
func (p *progress) live(format string, args ...any) {
	switch {
	case p.terminal:
		fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
		p.shown = true
	case time.Since(p.last) >= patient:
		p.line(format, args...)
	}
}

// line shows a line that stays; on a terminal it is only the live one's next
// text: the table will say it better.
func (p *progress) line(format string, args ...any) {
	if p.terminal {
		p.live(format, args...)
		return
	}
	fmt.Fprintf(p.w, format+"\n", args...)
	p.last = time.Now()
}

// clear removes the live line, before something else is printed.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
