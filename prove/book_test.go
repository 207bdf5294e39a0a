package prove_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"workman/prove"
)

// desk is a book with one request, and what happens to it.
type desk struct {
	*prove.Book
	order prove.Order
	now   time.Time
}

func newDesk(o prove.Order) *desk {
	d := &desk{Book: prove.NewBook(), now: time.Now()}
	d.Ready(d.now, time.Millisecond)
	d.order = d.Begin(o)
	return d
}

// restart kills the server, and starts it again.
func (d *desk) restart() {
	d.Crash()
	d.Ready(d.now, time.Millisecond)
}

func (d *desk) worker() *prove.Session { return &prove.Session{Life: d.Life()} }

// take gives the run "a" to a worker.
func (d *desk) take(s *prove.Session, fence uint64) *prove.Hand {
	return d.Take(s, prove.Task{Number: d.order.Number, Run: "a", Fence: fence}, d.now)
}

func (d *desk) ack(id string) { d.Acknowledge(d.order.Number, id, time.Millisecond) }

// read is what the server says of the run now; h's result, if it has succeeded.
func (d *desk) read(state string, h *prove.Hand) { d.readAt(d.Mark(), state, h) }

func (d *desk) readAt(mark int, state string, h *prove.Hand) {
	doc := prove.Document{ID: "a", State: state}
	if h != nil {
		doc.Result = fmt.Appendf(nil, `{"order":%d,"hand":%d}`, d.order.Number, h.Number)
	}
	d.Read(d.order.Number, mark, doc)
}

// done acknowledges the run, has it worked, and tells its result.
func (d *desk) done() *prove.Hand {
	d.ack("a")
	h := d.take(d.worker(), 1)
	d.Send(h)
	d.read("succeeded", h)
	return h
}

// wrongs are things that no server may do.
var wrongs = []struct {
	what string
	kind prove.Kind
	do   func(d *desk)
}{
	{"an acknowledged run is unknown", prove.Lost, func(d *desk) { d.ack("a"); d.Missing(d.order.Number, "404") }},
	{"an acknowledged run is never finished", prove.Lost, func(d *desk) { d.ack("a"); d.Close() }},
	{"it has not finished when it is asked for", prove.Lost, func(d *desk) { d.ack("a"); d.read("running", nil); d.Close() }},
	{"it is dead, and nothing has failed", prove.Lost, func(d *desk) { d.ack("a"); d.read("dead", nil) }},
	{"it has expired, and has no time to live", prove.Lost, func(d *desk) { d.ack("a"); d.read("expired", nil) }},
	{"it is cancelled, and nobody asked for that", prove.Lost, func(d *desk) { d.ack("a"); d.read("cancelled", nil) }},
	{"it has finished, and is pending again", prove.Undone, func(d *desk) { d.done(); d.restart(); d.read("pending", nil) }},
	{"it has finished, and is handed out again", prove.Undone, func(d *desk) { d.done(); d.restart(); d.take(d.worker(), 2) }},
	{"the same before any crash", prove.Undone, func(d *desk) { d.done(); d.take(d.worker(), 2) }},
	{"it has finished, with another result", prove.Undone, func(d *desk) {
		d.ack("a")
		h := d.take(d.worker(), 1)
		d.Send(h)
		d.restart()
		again := d.take(d.worker(), 2)
		d.Send(again)
		d.read("succeeded", again)
		d.read("succeeded", h)
	}},
	{"it had succeeded, and is cancelled", prove.Undone, func(d *desk) { d.done(); d.Cancel(d.order.Number); d.read("cancelled", nil) }},
	{"it was cancelled, and has expired", prove.Undone, func(d *desk) {
		d.ack("a")
		d.Cancel(d.order.Number)
		d.read("cancelled", nil)
		d.read("expired", nil)
	}},
	{"a key is sent again, and is another run", prove.Doubled, func(d *desk) { d.ack("a"); d.ack("b") }},
	{"a worker gets the request as another run", prove.Doubled, func(d *desk) { d.ack("b"); d.take(d.worker(), 1) }},
	{"two workers get it as two runs, and nobody was promised any", prove.Doubled, func(d *desk) {
		d.take(d.worker(), 1)
		d.restart()
		d.Take(d.worker(), prove.Task{Number: d.order.Number, Run: "b", Fence: 2}, d.now)
	}},
	{"the server lists two runs of a key", prove.Doubled, func(d *desk) { d.ack("a"); d.Same(d.All()[0], []string{"a", "b"}) }},
	{"or another", prove.Doubled, func(d *desk) { d.ack("a"); d.Same(d.All()[0], []string{"b"}) }},
	{"or none", prove.Wrong, func(d *desk) { d.ack("a"); d.Same(d.All()[0], nil) }},
	{"a schedule has no run for one of its times", prove.Missed, func(d *desk) { u := newDiary(d, "allow"); u.is(2, 0, 0); u.account() }},
	{"or two", prove.Refired, func(d *desk) { u := newDiary(d, "allow"); u.account(u.run(1, 0), u.run(1, 0)) }},
	{"two workers have it at once", prove.Needless, func(d *desk) { d.take(d.worker(), 1); d.take(d.worker(), 2) }},
	{"one worker gets it twice", prove.Needless, func(d *desk) { s := d.worker(); d.take(s, 1); d.take(s, 2) }},
	{"a fence is used again", prove.Unfenced, func(d *desk) { d.take(d.worker(), 7); d.restart(); d.take(d.worker(), 7) }},
	{"a fence is lower after a crash", prove.Unfenced, func(d *desk) { d.take(d.worker(), 7); d.restart(); d.take(d.worker(), 6) }},
	{"the earlier one is read last, and is higher", prove.Unfenced, func(d *desk) {
		slow := d.worker()
		d.restart()
		d.take(d.worker(), 6)
		d.take(slow, 7)
	}},
	{"a result is another request's", prove.Wrong, func(d *desk) {
		d.ack("a")
		other := d.Begin(prove.Order{})
		h := d.Take(d.worker(), prove.Task{Number: other.Number, Run: "b", Fence: 1}, d.now)
		d.Send(h)
		d.read("succeeded", h)
	}},
	{"a result is of a worker that never sent one", prove.Wrong, func(d *desk) { d.ack("a"); d.read("succeeded", d.take(d.worker(), 1)) }},
	{"a result has changed on its way", prove.Wrong, func(d *desk) {
		d.ack("a")
		h := d.take(d.worker(), 1)
		d.Send(h)
		result := fmt.Appendf(nil, `{"order":%d,"hand":%d}`, d.order.Number+1, h.Number)
		d.Read(d.order.Number, d.Mark(), prove.Document{ID: "a", State: "succeeded", Result: result})
	}},
	{"a result is missing", prove.Wrong, func(d *desk) { d.ack("a"); d.read("succeeded", nil) }},
	{"a document is of another run", prove.Wrong, func(d *desk) { d.ack("b"); d.read("pending", nil) }},
	{"a task is nobody's", prove.Wrong, func(d *desk) { d.Take(d.worker(), prove.Task{Number: 99}, d.now) }},
	{"a worker hears of a cancellation that nobody asked for", prove.Wrong, func(d *desk) { d.Consent(d.take(d.worker(), 1)) }},
	{"a connection ends though the server lives", prove.Broken, func(d *desk) { d.BrokenIn(d.Life(), "EOF") }},
}

// TestWrongs: each of them is noticed, once, and under its name.
func TestWrongs(t *testing.T) {
	found := map[prove.Kind]bool{}
	for _, w := range wrongs {
		d := newDesk(prove.Order{Key: "k"})
		w.do(d)
		d.ack("a") // so that there is something accepted
		r := d.Report()
		if r.Faults[w.kind] == 0 || r.Good() || len(r.Examples) == 0 || !strings.Contains(r.Table(), "NOT PROVED") {
			t.Errorf("%s: %v, want %s", w.what, r.Faults, w.kind)
		}
		found[w.kind] = true
	}
	d := newDesk(prove.Order{Due: time.Now().Add(time.Hour).Truncate(time.Millisecond)})
	d.take(d.worker(), 1)
	found[prove.Early] = d.Report().Faults[prove.Early] == 1
	for _, kind := range prove.Kinds {
		if !found[kind] {
			t.Errorf("no server was found to do this: %s", kind)
		}
	}
}

// rights are things that look odd, and are none of the server's faults.
var rights = []struct {
	what string
	do   func(d *desk)
}{
	{"all is well", func(d *desk) { h := d.done(); d.restart(); d.read("succeeded", h); d.Same(d.All()[0], []string{"a"}) }},
	{"a worker has it before its producer has the promise", func(d *desk) { d.take(d.worker(), 1); d.ack("a") }},
	{"a key is sent again, and is the same run", func(d *desk) { d.ack("a"); d.ack("a") }},
	{"a crash, and it is handed out again", func(d *desk) { d.take(d.worker(), 1); d.restart(); d.take(d.worker(), 2) }},
	{"its worker is cut, and it is handed out again", func(d *desk) {
		s := d.worker()
		d.take(s, 1)
		d.Cut(s)
		d.take(d.worker(), 2)
	}},
	{"an attempt fails, and it is handed out again", func(d *desk) {
		d.Fail(d.take(d.worker(), 1))
		d.take(d.worker(), 2)
	}},
	{"a task is read from a dead server after its successor has handed it out", func(d *desk) {
		slow := d.worker()
		d.restart()
		d.take(d.worker(), 2)
		d.take(slow, 1)
	}},
	{"or has even told the result", func(d *desk) { slow := d.worker(); d.restart(); d.done(); d.take(slow, 0) }},
	{"an answer is overtaken by a newer one", func(d *desk) { before := d.Mark(); d.done(); d.readAt(before, "running", nil) }},
	{"a worker of the old protocol knows no fence", func(d *desk) { d.take(d.worker(), 0); d.restart(); d.take(d.worker(), 0) }},
	{"it is cancelled, as asked", func(d *desk) { d.ack("a"); d.Cancel(d.order.Number); d.read("cancelled", nil) }},
	{"a connection ends with its server", func(d *desk) { life := d.Life(); d.Crash(); d.BrokenIn(life, "EOF") }},
	{"a connection ends while no server is up", func(d *desk) { d.Crash(); d.BrokenIn(d.Life(), "EOF") }},
	{"or its server has ended before that is noticed", func(d *desk) { life := d.Life(); d.restart(); d.BrokenIn(life, "EOF") }},
	{"an unfinished run, of which nothing was promised", func(d *desk) { d.Unanswered(); d.Close() }},
}

// TestRights: nothing of it is blamed.
func TestRights(t *testing.T) {
	for _, w := range rights {
		d := newDesk(prove.Order{Key: "k", Fail: 1})
		w.do(d)
		if r := d.Report(); len(r.Faults) > 0 {
			t.Errorf("%s: %v", w.what, r.Examples)
		}
	}
}

// TestMercy: prove lets no run lose so many workers, or fail so often, that the server may give it up.
func TestMercy(t *testing.T) {
	d := newDesk(prove.Order{Fail: 9})
	cut, failed := 0, 0
	for range 9 {
		s := d.worker()
		h := d.take(s, 0)
		if d.Cut(s) {
			cut++
			if d.take(s, 0) != nil || d.Send(h) || d.Fail(h) || d.Consent(h) {
				t.Fatal("a worker that was cut goes on")
			}
			continue
		}
		if d.Fail(h) {
			failed++
		}
		d.Leave(s)
	}
	if cut != 2 || failed != 2 {
		t.Errorf("%d workers were cut and %d attempts failed with one run, want 2 and 2", cut, failed)
	}
}

// TestNothingAccepted: a server that accepts nothing has proved nothing.
func TestNothingAccepted(t *testing.T) {
	if r := newDesk(prove.Order{}).Report(); r.Good() || !strings.Contains(r.Table(), "accepted nothing") {
		t.Error(r.Table())
	}
}

// TestLate: how late schedules are is counted apart if a crash came in between.
func TestLate(t *testing.T) {
	d := newDesk(prove.Order{})
	at := func(due, after time.Duration) {
		o := d.Begin(prove.Order{Due: d.now.Add(due)})
		d.Take(d.worker(), prove.Task{Number: o.Number}, o.Due.Add(after))
	}
	at(time.Minute, 3*time.Millisecond)
	at(-time.Second, 5*time.Second) // due before the server was there
	at(time.Millisecond, 7*time.Second)
	r := d.Report()
	if r.Late.Count != 1 || r.Late.Max.Round(time.Millisecond) != 3*time.Millisecond {
		t.Errorf("late: %+v", r.Late)
	}
	if r.LateCrash.Count != 2 || r.LateCrash.Max.Round(100*time.Millisecond) != 7*time.Second {
		t.Errorf("late by a crash: %+v", r.LateCrash)
	}
}
