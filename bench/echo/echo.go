package main

import (
	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/protocol"
)

// echo answers everything with itself.
type echo struct{ quiet }

func (echo) Request(s *protocol.Session, r *protocol.Request) {
	s.Respond(r.Seq, protocol.Answer{Status: 200, Type: "application/octet-stream", Body: r.Body.Of(r.Base)})
}

func (echo) Upgrade(*protocol.Session, *protocol.Request) bool { return true }

func (echo) Message(s *protocol.Session, base []byte, at dispatch.Span, text bool) {
	op := ws.OpBinary
	if text {
		op = ws.OpText
	}
	s.Send(op, at.Of(base))
}

// quiet has nothing to do at the other moments of a service's life.
type quiet struct{}

func (quiet) Ended(*protocol.Session)         {}
func (quiet) Flush()                          {}
func (quiet) Woken()                          {}
func (quiet) SetSlow(*protocol.Session, bool) {}
