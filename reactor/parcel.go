package reactor

import (
	"bytes"
	"sync"
	"sync/atomic"

	"workman/dispatch"
)

// parcel is effects on their way to another loop: copies, since what they showed is about to be reused. The bytes of an
// effect's nonce, name and body lie one after the other in bytes, in the order of the effects; the effects' own slices
// only say how long each is. But for the body of a Listed: the dispatcher makes a new one when the list changes and never
// writes to an old one, and a thousand copies of a long list are more than there may be memory for.
type parcel struct {
	effects []dispatch.Effect
	bytes   []byte
	next    *parcel
}

func (p *parcel) add(e *dispatch.Effect) {
	p.effects = append(p.effects, *e)
	p.bytes = append(append(p.bytes, e.Nonce...), e.Name...)
	if e.Kind != dispatch.Listed {
		p.bytes = append(p.bytes, e.Body...)
	}
}

// parcels are those that are not on their way: with a store, as many acknowledgements go through them as there are runs.
var parcels = sync.Pool{New: func() any { return new(parcel) }}

// parcelKept is the largest one that is used again, in bytes.
const parcelKept = 1 << 20

// done lets go of a parcel that was delivered.
func (p *parcel) done() {
	if cap(p.bytes) > parcelKept {
		return
	}
	clear(p.effects)
	p.effects, p.bytes, p.next = p.effects[:0], p.bytes[:0], nil
	parcels.Put(p)
}

// open makes the slices of the effects whole, and returns them.
func (p *parcel) open() []dispatch.Effect {
	rest := p.bytes
	part := func(of []byte) []byte {
		if of == nil {
			return nil
		}
		b := rest[:len(of):len(of)]
		rest = rest[len(of):]
		return b
	}
	for i := range p.effects {
		e := &p.effects[i]
		if e.Nonce, e.Name = part(e.Nonce), part(e.Name); e.Kind != dispatch.Listed {
			e.Body = part(e.Body)
		}
	}
	return p.effects
}

// outbox is the parcels for one loop. Whoever holds the dispatcher puts them in, and the loop takes them all out.
type outbox struct{ last atomic.Pointer[parcel] }

func (o *outbox) put(p *parcel) {
	for {
		p.next = o.last.Load()
		if o.last.CompareAndSwap(p.next, p) {
			return
		}
	}
}

// take returns the parcels in the order they were put in.
func (o *outbox) take() (first *parcel) {
	if o.last.Load() == nil {
		return nil
	}
	for p := o.last.Swap(nil); p != nil; {
		p, p.next, first = p.next, first, p
	}
	return first
}

// courier is what a goroutine that holds the dispatcher collects for loops other than its own.
type courier struct {
	tasks   *Tasks
	parcels []*parcel // by loop
	full    []int     // the loops with a parcel
	answers []answer  // to people's questions
}

func (c *courier) add(e *dispatch.Effect) {
	to := e.To.Loop()
	if e.To == 0 {
		c.reply(e)
		return
	}
	if to >= len(c.tasks.ends) {
		return
	}
	for to >= len(c.parcels) {
		c.parcels = append(c.parcels, nil)
	}
	if c.parcels[to] == nil {
		c.parcels[to] = parcels.Get().(*parcel)
		c.full = append(c.full, to)
	}
	c.parcels[to].add(e)
}

// send puts the parcels into their loops' outboxes, and wakes those loops. It is called before the dispatcher is let go:
// so a loop that holds it next and takes out its parcels first has everything in order. Answers go last: whoever gets one
// knows that all that was said before is on its way.
func (c *courier) send() {
	for _, to := range c.full {
		end := c.tasks.ends[to]
		end.outbox.put(c.parcels[to])
		c.parcels[to] = nil
		end.loop.Wake()
	}
	c.full = c.full[:0]
	for _, a := range c.answers {
		c.tasks.timer.answer(a)
	}
	c.answers = nil
}

// reply keeps an effect that is for nobody: it answers the question with its number. So 0 answers none.
func (c *courier) reply(e *dispatch.Effect) {
	if e.Seq == 0 {
		return
	}
	own := dispatch.Effect{Kind: e.Kind, Reason: e.Reason, Found: e.Found, Seq: e.Seq, Body: bytes.Clone(e.Body)}
	c.answers = append(c.answers, answer{asked: e.Seq, effect: own})
}

// note keeps the answer to a question, if the batch holds one.
func (c *courier) note(b *dispatch.Batch) {
	if b.Stats != nil || b.Survey != nil {
		c.answers = append(c.answers, answer{asked: b.Asked, stats: b.Stats, survey: b.Survey})
	}
}
