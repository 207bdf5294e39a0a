package prove

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// The states of a run that has finished.
const (
	succeeded = "succeeded"
	cancelled = "cancelled"
	dead      = "dead"
	expired   = "expired"
)

// Document is what the server says of a run: the members that prove looks at.
type Document struct {
	ID     string          `json:"id"`
	State  string          `json:"state"`
	Key    string          `json:"key"`
	Result json.RawMessage `json:"result"`
}

// Result is what workers answer. It tells whose it is.
type Result struct {
	Order int `json:"order"`
	Hand  int `json:"hand"`
}

// Known is a request that was acknowledged.
type Known struct {
	Order
	ID string
}

// recent is how many runs are new: many of them are still under way.
const recent = 50

// Any returns one of the acknowledged requests, every other time a recent one; ok is false while there are none.
func (b *Book) Any(r *rand.Rand) (k Known, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.known) == 0 {
		return k, false
	}
	from := 0
	if r.IntN(2) == 0 {
		from = max(0, len(b.known)-recent)
	}
	e := b.entries[b.known[from+r.IntN(len(b.known)-from)]]
	return Known{e.asked, e.id}, true
}

// All returns all acknowledged requests.
func (b *Book) All() []Known {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Known, len(b.known))
	for i, number := range b.known {
		all[i] = Known{b.entries[number].asked, b.entries[number].id}
	}
	return all
}

// Cancel notes that somebody is about to ask for the end of a run.
func (b *Book) Cancel(number int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.cancels++
	b.entries[number].cancelled = true
}

// Repeat notes that a key is about to be sent once more.
func (b *Book) Repeat() { b.count(func(c *counts) { c.repeated++ }) }

// Missing notes that the server does not know a run that it has acknowledged.
func (b *Book) Missing(number int, said string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose(b.entries[number], "the server does not know it: "+said)
}

// lose blames the loss of a run, once.
func (b *Book) lose(e *entry, why string) {
	if !e.lost {
		e.lost = true
		b.faults.blame(Lost, "run %s (request %d, key %q): %s", e.id, e.asked.Number, e.asked.Key, why)
	}
}

// Mark is what has been told by now. Whoever asks for a document takes it first: an answer may be overtaken by a newer one.
func (b *Book) Mark() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tellings
}

// Read judges a document that was asked for after mark. It returns whether the run has finished.
func (b *Book) Read(number, mark int, d Document) (finished bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.reads++
	e := b.find(number)
	if e == nil {
		return false
	}
	if e.id != "" && d.ID != e.id || d.Key != "" && d.Key != e.asked.Key {
		b.faults.blame(Wrong, "asked for run %s with key %q, the server told of run %s with key %q", e.id, e.asked.Key, d.ID, d.Key)
		return false
	}
	now := told{state: d.State, life: b.life}
	switch d.State {
	case succeeded:
		now.hand = b.judgeResult(e, d.Result)
	case cancelled:
		if !e.cancelled {
			b.lose(e, "it is cancelled, and nobody asked for it")
		}
	case dead, expired:
		b.lose(e, fmt.Sprintf("it is %s, though only %d of its attempts failed and %d of its workers were lost", d.State, e.failures, e.losses))
	default:
		if e.told.state != "" && e.told.number <= mark {
			b.faults.blame(Undone, "run %s was told to be %s, and is %s now", e.id, e.told.state, d.State)
		}
		return false
	}
	switch {
	case e.told.state == "":
		b.tellings++
		now.number = b.tellings
		e.told = now
	case e.told.state != now.state || e.told.hand != now.hand:
		b.faults.blame(Undone, "run %s was told to be %s by hand-out %d, and is %s by hand-out %d now",
			e.id, e.told.state, e.told.hand, now.state, now.hand)
	}
	return true
}

// judgeResult returns whose result it is: it must be one that was sent for this run.
func (b *Book) judgeResult(e *entry, result []byte) (hand int) {
	var r Result
	if err := json.Unmarshal(result, &r); err == nil && r.Order == e.asked.Number {
		for _, h := range e.given {
			if h.Number == r.Hand && h.sent {
				return r.Hand
			}
		}
	}
	b.faults.blame(Wrong, "run %s (request %d) has the result %.200q, which no worker sent for it", e.id, e.asked.Number, result)
	return r.Hand
}

// Same judges how many runs the server has for a key: one.
func (b *Book) Same(k Known, ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(ids) != 1 || ids[0] != k.ID {
		kind := Doubled
		if len(ids) == 0 {
			kind = Wrong
		}
		b.faults.blame(kind, "key %q is of run %s, and the server lists %q", k.Key, k.ID, ids)
	}
}

// Unfinished returns the acknowledged requests that nobody was told the end of.
func (b *Book) Unfinished() (open []Known) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, number := range b.known {
		if e := b.entries[number]; e.told.state == "" && !e.lost {
			open = append(open, Known{e.asked, e.id})
		}
	}
	return open
}

// Close blames what has not finished.
func (b *Book) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, number := range b.known {
		if e := b.entries[number]; e.told.state == "" {
			b.lose(e, "it has not finished")
		}
	}
}
