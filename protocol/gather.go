package protocol

import (
	"encoding/binary"
	"net/http"
	"unsafe"

	"workman/dispatch"
	"workman/document"
)

// gathering is the answer to a request for many runs while it is gathered: one by one they are stored, or refused, in
// whatever order, and with the last it is sent.
type gathering struct {
	id       uint64
	seq      uint64 // over HTTP: of the request
	nonce    []byte // over WebSocket: the producer's own; nil is none
	name     []byte // of the task
	async    bool   // a preference that is met
	left     int    // runs without an outcome
	accepted int
	outcomes []outcome
	next     *gathering // another one of the same connection
}

// outcome is what became of one run: where it is, if it was accepted, or why it was refused. Both zero: it was, and cannot be
// read.
type outcome struct {
	id    dispatch.ID
	state dispatch.RunState
	why   dispatch.Reason
}

func (g *gathering) held() int {
	return cap(g.outcomes)*int(unsafe.Sizeof(outcome{})) + cap(g.nonce) + cap(g.name)
}

// gather begins to gather the outcomes of n runs for a session.
func (f *Framing) gather(s *Session, n int) *gathering {
	f.lastBulk++
	g := &gathering{id: f.lastBulk, left: n, outcomes: make([]outcome, n), next: f.bulks[s.ID]}
	if f.bulks == nil {
		f.bulks = map[dispatch.Conn]*gathering{}
	}
	f.bulks[s.ID] = g
	return g
}

// gathered is how many bytes a session's answers take while they are gathered.
func (f *Framing) gathered(s *Session) (n int) {
	for g := f.bulks[s.ID]; g != nil; g = g.next {
		n += g.held()
	}
	return n
}

// takeBulk takes a gathering from its session's.
func (f *Framing) takeBulk(s *Session, g *gathering) {
	first := f.bulks[s.ID]
	if first != g {
		for first.next != g {
			first = first.next
		}
		first.next = g.next
	} else if g.next != nil {
		f.bulks[s.ID] = g.next
	} else {
		delete(f.bulks, s.ID)
	}
}

// appendMember appends the nonce of one run of a gathering: which one it is.
func (g *gathering) appendMember(dst []byte, i int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(append(dst, markBulk), g.id), uint64(i))
}

// member finds the gathering that an effect is for, and the place of its run. Both are nil if there is none.
func (f *Framing) member(s *Session, e *dispatch.Effect) (*gathering, *outcome) {
	id, n := binary.Uvarint(e.Nonce[1:])
	i, m := binary.Uvarint(e.Nonce[1+max(n, 0):])
	for g := f.bulks[s.ID]; g != nil && n > 0 && m > 0; g = g.next {
		if g.id == id && g.seq == e.Seq && i < uint64(len(g.outcomes)) {
			return g, &g.outcomes[i]
		}
	}
	return nil, nil
}

// encodeMember notes the outcome of one run of many, and sends the answer if it was the last. It reports false for an effect
// that is something else.
func encodeMember(s *Session, e *dispatch.Effect) bool {
	if len(e.Nonce) == 0 || e.Nonce[0] != markBulk {
		return false
	}
	g, o := s.f.member(s, e)
	if g == nil {
		return false
	}
	if e.Kind == dispatch.Refused {
		o.why = e.Reason
	} else {
		g.accepted++
		if v, err := dispatch.DecodeView(e.Body); err == nil {
			o.id, o.state = v.ID, v.State
		}
	}
	if g.left--; g.left == 0 {
		s.f.takeBulk(s, g)
		g.send(s)
	}
	return true
}

// send answers a request for many runs. If all were refused for one reason, that is its answer.
func (g *gathering) send(s *Session) {
	if why := g.outcomes[0].why; g.accepted == 0 && g.allAre(why) {
		encodeRefused(s, &dispatch.Effect{Kind: dispatch.Refused, Reason: why, To: s.ID, Seq: g.seq, Nonce: append([]byte{markNew}, g.nonce...)})
		return
	}
	list := g.appendTo(s.f.run[:0])
	if s.Tag&tagEndpoint != 0 {
		sendMembers(s, g.nonce, `"runs":`, list)
	} else {
		n := note{async: g.async}
		s.Respond(g.seq, Answer{Status: http.StatusAccepted, Type: jsonType, Extra: n.applied(false), Body: list})
	}
	if cap(list) <= keptBody {
		s.f.run = list
	}
}

func (g *gathering) allAre(why dispatch.Reason) bool {
	for i := range g.outcomes {
		if g.outcomes[i].why != why {
			return false
		}
	}
	return true
}

// appendTo appends the array: of each run what it is acknowledged with alone, or why it was refused.
func (g *gathering) appendTo(dst []byte) []byte {
	if room := len(g.outcomes) * (len(`{"id":"","task":"","state":"scheduled"},`) + 36 + len(g.name)); cap(dst) < room {
		dst = make([]byte, 0, room)
	}
	between := byte('[')
	for i := range g.outcomes {
		o := &g.outcomes[i]
		dst = append(dst, between)
		between = ','
		switch {
		case o.why != 0:
			r := &refusals[o.why]
			dst = AppendProblem(dst, r.status, r.kind, r.text)
		case o.state == 0:
			dst = AppendProblem(dst, http.StatusInternalServerError, ProblemStored, unreadableDetail)
		default:
			dst = document.AppendShort(dst, &dispatch.View{ID: o.id, State: o.state, Name: g.name})
		}
	}
	return append(dst, ']')
}
