package dispatch_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"workman/dispatch"
)

// script drives a dispatcher of calls by hand, to show one thing at a time. The simulation looks at all of them together.
type script struct {
	t   *testing.T
	d   *dispatch.Dispatcher
	now dispatch.Now
	out dispatch.Batch
}

var (
	producer  = dispatch.MakeConn(0, 0, 1)
	first     = dispatch.MakeConn(0, 1, 1)
	second    = dispatch.MakeConn(0, 2, 1)
	borrower  = dispatch.MakeConn(0, 3, 1)
	noToken   = dispatch.Token{}
	graceTime = dispatch.DefaultConfig().Grace
)

func newScript(t *testing.T) *script {
	t.Helper()
	s := &script{t: t, now: dispatch.Now{Mono: 1000, Wall: 1_790_000_000_000}}
	d, err := dispatch.New(dispatch.DefaultConfig(), rand.New(rand.NewPCG(1, 2)), s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.d = d
	return s
}

// say gives an event to the dispatcher, and returns what leaves.
func (s *script) say(from dispatch.Conn, ev dispatch.Event, name, body string, nonce []byte) []dispatch.Effect {
	base := append([]byte("#"+name+body), nonce...)
	at := uint32(1)
	for _, part := range []struct {
		to *dispatch.Span
		n  int
	}{{&ev.Name, len(name)}, {&ev.Body, len(body)}, {&ev.Nonce, len(nonce)}} {
		if part.n > 0 {
			*part.to = dispatch.Span{Off: at, Len: uint32(part.n)}
		}
		at += uint32(part.n)
	}
	s.out.Reset()
	s.d.Step(s.now, from, &ev, base, &s.out)
	return s.out.Effects
}

// wants compares what left by kind and receiver.
func (s *script) wants(got []dispatch.Effect, want ...string) {
	s.t.Helper()
	var all []string
	for i := range got {
		all = append(all, fmt.Sprintf("%s %s", effects[got[i].Kind], showConn(got[i].To)))
	}
	if strings.Join(all, ", ") != strings.Join(want, ", ") {
		s.t.Fatalf("%q, and should be %q", all, want)
	}
}

// works makes a connection a worker that said hello, ready for so many tasks, and returns its session.
func (s *script) works(c dispatch.Conn, ready uint32) dispatch.Token {
	s.t.Helper()
	got := s.say(c, dispatch.Event{Kind: dispatch.SayHello}, "", "", nil)
	s.wants(got, "Welcome "+showConn(c))
	session := got[0].Token
	s.say(c, dispatch.Event{Kind: dispatch.RegisterTask}, "a", "", nil)
	s.say(c, dispatch.Event{Kind: dispatch.GetTask, Count: ready}, "", "", nil)
	return session
}

func (s *script) call(body string) []dispatch.Effect {
	return s.say(producer, dispatch.Event{Kind: dispatch.RunTask}, "a", body, []byte(`"n"`))
}

func (s *script) passes(ms int64) []dispatch.Effect {
	s.now.Mono += ms
	s.now.Wall += ms
	return s.say(0, dispatch.Event{Kind: dispatch.Tick}, "", "", nil)
}

// workers is the list of them: how many tasks each has, and whether it is a lease or without a connection.
func (s *script) workers() string {
	s.say(0, dispatch.Event{Kind: dispatch.ListWorkerInfo, Count: 10}, "", "", nil)
	all := ""
	for _, w := range s.out.Survey.Workers {
		all += fmt.Sprintf("%v %d", w.Names, w.Running)
		if w.Lease {
			all += " lease"
		}
		if w.Lost {
			all += " lost"
		}
		all += "\n"
	}
	return all
}

func TestSessionsAreListed(t *testing.T) {
	s := newScript(t)
	s.works(first, 1)
	s.call("1")
	take := dispatch.Event{Kind: dispatch.TakeLease, Count: 1, At: 10_000, Token: dispatch.Token{Secret: 60_000}}
	s.say(borrower, take, "", "a\n", nil)
	if got, want := s.workers(), "[a] 1\n[a] 0 lease\n"; got != want {
		t.Errorf("%q, and should be %q", got, want)
	}
	s.call("2")
	s.say(first, dispatch.Event{Kind: dispatch.Gone}, "", "", nil)
	if got, want := s.workers(), "[a] 1 lost\n[a] 1 lease lost\n"; got != want {
		t.Errorf("%q, and should be %q", got, want)
	}
}

func TestSessionResumes(t *testing.T) {
	s := newScript(t)
	session := s.works(first, 1)
	task := s.call("1")[0].Token
	s.works(second, 1)
	s.wants(s.say(first, dispatch.Event{Kind: dispatch.Gone}, "", "", nil))
	s.wants(s.passes(graceTime - 1))
	again := first + 1
	got := s.say(again, dispatch.Event{Kind: dispatch.SayHello, Token: session}, "", "", nil)
	s.wants(got, "Welcome "+showConn(again))
	if in, rest, ok := dispatch.NextToken(got[0].Body); !got[0].Found || got[0].Token != session || !ok || len(rest) > 0 || in != task {
		t.Errorf("it goes on with %+v", got[0])
	}
	s.wants(s.passes(10 * graceTime))
	s.wants(s.say(again, dispatch.Event{Kind: dispatch.SendResult, Token: task}, "", "2", nil), "Result "+showConn(producer))
}

func TestSessionIsLost(t *testing.T) {
	s := newScript(t)
	session := s.works(first, 1)
	task := s.call("1")[0].Token
	s.works(second, 1)
	s.say(first, dispatch.Event{Kind: dispatch.Gone}, "", "", nil)
	s.wants(s.passes(graceTime), "HandOut "+showConn(second))
	again := first + 1
	if got := s.say(again, dispatch.Event{Kind: dispatch.SayHello, Token: session}, "", "", nil); got[0].Found || got[0].Token == session {
		t.Errorf("it goes on, though its grace is over: %+v", got[0])
	}
	s.wants(s.say(again, dispatch.Event{Kind: dispatch.SendResult, Token: task}, "", "2", nil), "Late "+showConn(again))
}

// An old connection may seem open for long: who is cut off from the network says nothing any more.
func TestSessionTakesOver(t *testing.T) {
	s := newScript(t)
	session := s.works(first, 2)
	task := s.call("1")[0].Token
	got := s.say(second, dispatch.Event{Kind: dispatch.SayHello, Token: session}, "", "", nil)
	s.wants(got, "Hangup "+showConn(first), "Welcome "+showConn(second))
	s.wants(s.call("2")) // the credit is not kept
	s.wants(s.say(first, dispatch.Event{Kind: dispatch.SendResult, Token: task}, "", "2", nil))
	s.wants(s.say(second, dispatch.Event{Kind: dispatch.SendResult, Token: task}, "", "2", nil), "Result "+showConn(producer))
	s.wants(s.say(second, dispatch.Event{Kind: dispatch.GetTask, Count: 1}, "", "", nil), "HandOut "+showConn(second)) // the names are
	s.wants(s.say(first, dispatch.Event{Kind: dispatch.Gone}, "", "", nil))
}

func TestHandBack(t *testing.T) {
	s := newScript(t)
	s.works(first, 3)
	tasks := []dispatch.Token{s.call("1")[0].Token, s.call("2")[0].Token}
	s.works(second, 1)
	s.wants(s.say(first, dispatch.Event{Kind: dispatch.HandBack, Count: 1}, "", "", nil), "HandOut "+showConn(second))
	if got := string(s.out.Effects[0].Body); got != "1" {
		t.Errorf("%s is handed out first, and should be 1", got)
	}
	s.wants(s.say(first, dispatch.Event{Kind: dispatch.SendResult, Token: tasks[1]}, "", "3", nil), "Late "+showConn(first))
	s.wants(s.say(second, dispatch.Event{Kind: dispatch.GetTask, Count: 1}, "", "", nil), "HandOut "+showConn(second))
}

func TestLimitOfAName(t *testing.T) {
	s := newScript(t)
	s.say(first, dispatch.Event{Kind: dispatch.RegisterTask, Count: 1}, "a", "", nil)
	s.say(first, dispatch.Event{Kind: dispatch.RegisterTask}, "b", "", nil)
	s.say(first, dispatch.Event{Kind: dispatch.GetTask, Count: 9}, "", "", nil)
	task := s.call("1")[0].Token
	s.wants(s.call("2"))
	s.wants(s.say(producer, dispatch.Event{Kind: dispatch.RunTask}, "b", "3", nil), "HandOut "+showConn(first))
	s.wants(s.say(first, dispatch.Event{Kind: dispatch.SendResult, Token: task}, "", "4", nil),
		"Result "+showConn(producer), "HandOut "+showConn(first))
}

func TestLease(t *testing.T) {
	s := newScript(t)
	take := dispatch.Event{Kind: dispatch.TakeLease, Seq: 7, Count: 5, At: 1000, Token: dispatch.Token{Secret: 60_000}}
	s.wants(s.say(borrower, take, "", "a\nb\n", nil))
	got := s.call("1") // it waited
	s.wants(got, "Leased "+showConn(borrower))
	ticket, err := dispatch.DecodeTicket(got[0].Nonce)
	if err != nil || got[0].Seq != 7 || got[0].Found || ticket.Deadline != s.now.Wall+60_000 {
		t.Errorf("%+v %+v: %v", got[0], ticket, err)
	}
	lease, task := binary.BigEndian.AppendUint64(nil, ticket.Secret), got[0].Token
	s.call("2")
	s.call("3")
	got = s.say(borrower, take, "", "a\n", nil) // these are there
	s.wants(got, "Leased "+showConn(borrower), "Leased "+showConn(borrower))
	if !got[0].Found || got[1].Found {
		t.Errorf("more follow: %v, then %v", got[0].Found, got[1].Found)
	}
	s.wants(s.say(borrower, dispatch.Event{Kind: dispatch.SendResult, Token: task}, "", "4", lease),
		"Result "+showConn(producer), "LeaseTaken "+showConn(borrower))
	s.wants(s.say(borrower, dispatch.Event{Kind: dispatch.Extend, Token: task, At: 1000}, "", "", lease), "Refused "+showConn(borrower))
	if got := s.d.Stats(); got.Lent != 2 || got.Leased != 2 {
		t.Errorf("%d are lent, of %d in hands", got.Lent, got.Leased)
	}
	s.passes(60_000)
	if got := s.d.Stats(); got.Lent != 2 { // of the first millisecond a part was over
		t.Errorf("before the leases are over for sure: %+v", got)
	}
	s.passes(1)
	if got := s.d.Stats(); got.Lent != 0 || got.Queued != 2 || got.Workers != 0 {
		t.Errorf("after the lease: %+v", got)
	}
}

func TestLeaseWaitsInVain(t *testing.T) {
	s := newScript(t)
	take := dispatch.Event{Kind: dispatch.TakeLease, Count: 1, At: 1000, Token: dispatch.Token{Secret: 60_000}}
	s.wants(s.say(borrower, take, "", "a\n", nil))
	s.wants(s.passes(1000), "NoLease "+showConn(borrower))
	s.wants(s.say(borrower, take, "", "a\n", nil))
	s.wants(s.say(borrower, dispatch.Event{Kind: dispatch.Gone}, "", "", nil))
	s.wants(s.call("1")) // nobody waits for it
	take.At = 0
	s.wants(s.say(borrower+1, take, "", "b\n", nil), "NoLease "+showConn(borrower+1))
	s.wants(s.say(borrower+1, take, "", "b\na\n", nil), "Leased "+showConn(borrower+1))
}

func TestDrainIsTold(t *testing.T) {
	s := newScript(t)
	s.works(first, 1)
	take := dispatch.Event{Kind: dispatch.TakeLease, Count: 1, At: 1000, Token: dispatch.Token{Secret: 60_000}}
	s.say(borrower, take, "", "a\nb\n", nil)
	s.wants(s.say(0, dispatch.Event{Kind: dispatch.Drain}, "", "", nil), "NoMoreTasks "+showConn(first), "NoLease "+showConn(borrower))
	got := s.say(borrower, take, "", "a\n", nil)
	s.wants(got, "Refused "+showConn(borrower))
	if got[0].Reason != dispatch.Draining {
		t.Errorf("refused with %s", reasons[got[0].Reason])
	}
	s.wants(s.say(second, dispatch.Event{Kind: dispatch.SayHello, Token: noToken}, "", "", nil),
		"Welcome "+showConn(second), "NoMoreTasks "+showConn(second))
}

// TestSeatsAreUsedForEver: a seat is taken anew by each request for a lease, which may be often enough for its generations to
// begin anew. Its neighbour's is no business of its then.
func TestSeatsAreUsedForEver(t *testing.T) {
	s := newScript(t)
	take := dispatch.Event{Kind: dispatch.TakeLease, Count: 1, At: 10_000, Token: dispatch.Token{Secret: 60_000}}
	short := take
	short.At = 10
	s.say(borrower, short, "", "a\n", nil) // has the first seat, soon not any more
	s.say(borrower, take, "", "b\n", nil)  // and the second, and waits
	s.wants(s.passes(short.At), "NoLease "+showConn(borrower))
	s.d.AgeSeat(1)
	for range 3 {
		s.call("1")
		lent := s.say(borrower, take, "", "a\n", nil)
		s.wants(lent, "Leased "+showConn(borrower))
		ticket, err := dispatch.DecodeTicket(lent[0].Nonce)
		if err != nil {
			t.Fatal(err)
		}
		done := dispatch.Event{Kind: dispatch.SendResult, Token: lent[0].Token}
		if got, want := s.workers(), "[a] 1 lease lost\n[b] 0 lease\n"; got != want {
			t.Errorf("%q, and should be %q", got, want)
		}
		s.wants(s.say(borrower, done, "", "2", binary.BigEndian.AppendUint64(nil, ticket.Secret)),
			"Result "+showConn(producer), "LeaseTaken "+showConn(borrower))
	}
	if got, want := s.workers(), "[b] 0 lease\n"; got != want {
		t.Errorf("%q, and should be %q", got, want)
	}
}
