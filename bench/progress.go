package main

import (
	"fmt"
	"io"
	"os"
)

// progress tells on stderr what the bench is doing. One goroutine uses it.
type progress struct {
	w        io.Writer
	terminal bool
	shown    bool // a live line stands there
}

// newProgress writes to f, with live lines if it is a terminal.
func newProgress(f *os.File) *progress {
	return &progress{w: f, terminal: isTerminal(f)}
}

// live replaces the live line. Where there is no terminal it shows nothing.
func (p *progress) live(format string, args ...any) {
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
		p.shown = true
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
}

// clear removes the live line, before something else is printed.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
