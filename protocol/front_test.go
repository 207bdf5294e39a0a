package protocol_test

import (
	"fmt"
	"slices"
	"testing"

	"workman/dispatch"
	"workman/protocol"
)

// lobby is a front whose owner does something in the middle of passing on what it collected.
type lobby struct {
	framing *protocol.Framing
	front   *protocol.Front
	passed  []string
	during  func()
}

func newLobby(t *testing.T) *lobby {
	l := new(lobby)
	l.front = protocol.NewFront(l.submit)
	var err error
	if l.framing, err = protocol.NewFraming(protocol.DefaultConfig(), l, l.front); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lobby) Borrow(*protocol.Session) []byte { return make([]byte, 0, 512) }
func (l *lobby) Date() []byte                    { return []byte("Tue, 15 Nov 1994 08:12:31 GMT") }

func (l *lobby) submit(in dispatch.Input) {
	if during := l.during; during != nil {
		l.during = nil
		during()
	}
	for _, e := range in.Events {
		l.passed = append(l.passed, fmt.Sprint(in.From, " ", e.Kind, " ", string(e.Body.Of(in.Base))))
	}
}

func (l *lobby) session(slot uint32, raw string) *protocol.Session {
	s := new(protocol.Session)
	l.framing.Start(s, dispatch.MakeConn(0, slot, 1))
	s.Feed([]byte(raw))
	return s
}

const lastRequest = "POST /task/work HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1"

// TestEndWhilePassingOn: what is passed on may be the end of another connection, or of the same one. Nothing is passed
// on twice by that, and the end is, once and behind the rest.
func TestEndWhilePassingOn(t *testing.T) {
	for _, same := range []bool{false, true} {
		l := newLobby(t)
		ends := l.session(1, lastRequest)
		if l.front.Flush(); !same {
			l.session(2, lastRequest)
		} else {
			ends = l.session(2, lastRequest)
		}
		l.passed = nil
		l.during = func() {
			ends.Respond(0, protocol.Answer{Status: 200})
			l.front.Flush() // as a turn would that is ended within
		}
		l.front.Flush()
		l.front.Flush()
		first, second := dispatch.MakeConn(0, 2, 1), ends.ID
		want := []string{fmt.Sprint(first, " ", dispatch.RunTask, " 1"), fmt.Sprint(second, " ", dispatch.Gone, " ")}
		if !slices.Equal(l.passed, want) {
			t.Errorf("passed on: %q, want %q", l.passed, want)
		}
	}
}

// TestPanicWhilePassingOn: what was being passed on is not passed on again.
func TestPanicWhilePassingOn(t *testing.T) {
	l := newLobby(t)
	l.session(1, lastRequest)
	l.during = func() { panic("no") }
	func() {
		defer func() { _ = recover() }()
		l.front.Flush()
	}()
	l.session(2, lastRequest)
	l.front.Flush()
	if want := []string{fmt.Sprint(dispatch.MakeConn(0, 2, 1), " ", dispatch.RunTask, " 1")}; !slices.Equal(l.passed, want) {
		t.Errorf("passed on: %q, want %q", l.passed, want)
	}
}
