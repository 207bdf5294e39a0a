package reactor_test

import (
	"fmt"
	"testing"

	"workman/dispatch"
	"workman/protocol"
	"workman/reactor"
)

// names answers each request with its connection's address.
type names struct{ echo }

func (names) Request(s *protocol.Session, r *protocol.Request) {
	s.Respond(r.Seq, protocol.Answer{Status: 200, Body: fmt.Append(nil, uint64(s.ID))})
}

// TestGenerationsBeginAnew: a slot may have more connections than its generations can count, and none of them is nobody.
func TestGenerationsBeginAnew(t *testing.T) {
	s, _ := listen(t, func(cfg *reactor.Config) {
		cfg.Loops = 1
		cfg.Serve = func(l *reactor.Loop) reactor.Service {
			l.AgeSlot()
			return names{}
		}
	})
	for _, generation := range []uint32{1<<32 - 1, 1, 2} {
		p := dial(t, s)
		p.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, got := p.answer(); got != fmt.Sprint(uint64(dispatch.MakeConn(0, 0, generation))) {
			t.Errorf("connection %s, and should be %d", got, dispatch.MakeConn(0, 0, generation))
		}
		_ = p.Close()
		waitFor(t, "it to have gone", func() bool { return s.Conns() == 0 })
	}
}
