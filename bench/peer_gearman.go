package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The types of Gearman's packets (gearman.org/protocol) that the clients send
// and get.
const (
	gearCanDo        = 1
	gearPreSleep     = 4
	gearNoop         = 6
	gearSubmitJob    = 7
	gearJobCreated   = 8
	gearGrabJob      = 9
	gearNoJob        = 10
	gearJobAssign    = 11
	gearWorkComplete = 13
	gearError        = 19
)

// gearHeader is the length of a packet's header: a magic word, the type and
// the size of what follows, each of four bytes.
const gearHeader = 12

// gearClients speak to gearmand.
type gearClients struct{}

func (gearClients) worker(sc scenario, addr string, i int, _ *source) (socket, peer, error) {
	s, err := dial(addr, "")
	return s, newGearWorker(i, sc.Credits), err
}

func (gearClients) producer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error) {
	s, err := dial(addr, "")
	return s, newGearProducer(i, sc.Outstanding, l, random), err
}

// gearPacket makes a packet that a client sends.
func gearPacket(kind uint32, body string) string {
	b := binary.BigEndian.AppendUint32([]byte("\x00REQ"), kind)
	return string(binary.BigEndian.AppendUint32(b, uint32(len(body)))) + body
}

// nextGear takes the server's packet at the start of b apart. size is 0 if b
// holds only a part of it. What the server reports as an error is one.
func nextGear(b []byte) (kind uint32, body []byte, size int, err error) {
	if len(b) < gearHeader {
		return 0, nil, 0, nil
	}
	if string(b[:4]) != "\x00RES" {
		return 0, nil, 0, fmt.Errorf("%.100q is no packet of a Gearman server", b)
	}
	kind = binary.BigEndian.Uint32(b[4:])
	length := binary.BigEndian.Uint32(b[8:])
	if length > readBuffer-gearHeader {
		return 0, nil, 0, fmt.Errorf("a packet of type %d with %d bytes: the bench takes at most %d", kind, length, readBuffer-gearHeader)
	}
	size = gearHeader + int(length)
	if len(b) < size {
		return 0, nil, 0, nil
	}
	if kind == gearError {
		return 0, nil, 0, fmt.Errorf("the server reports the error %.300q", b[gearHeader:size])
	}
	return kind, b[gearHeader:size], size, nil
}

// gearProducer submits jobs in the foreground. The server names each in
// JOB_CREATED, in the order in which they were submitted, and gives that
// handle with the result.
type gearProducer struct {
	calls
	handles []uint64 // of the slots, 0: none yet
	created []int    // slots whose job has no handle yet, a ring: as many as there are slots
	first   int      // of created
	waiting int      // how many of created
	likely  int      // the slot whose result comes next, if results come in order
}

func newGearProducer(id, outstanding int, l *ledger, random *source) *gearProducer {
	message := gearPacket(gearSubmitJob, "work\x00\x00"+optionsText) // no unique id: nothing is merged
	return &gearProducer{calls: newCalls("Gearman", id, outstanding, l, random, message),
		handles: make([]uint64, outstanding), created: make([]int, outstanding)}
}

// open submits the first jobs.
func (p *gearProducer) open(out []byte, now int64) []byte {
	for i := range p.slots {
		out = p.submit(i, out, now)
	}
	return out
}

// submit appends a job in a free slot.
func (p *gearProducer) submit(i int, out []byte, now int64) []byte {
	p.created[(p.first+p.waiting)%len(p.created)] = i
	p.waiting++
	return p.issue(i, out, now)
}

// receive checks all whole results in data and submits a job for each.
func (p *gearProducer) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		kind, body, size, err := nextGear(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		switch kind {
		case gearJobCreated:
			if p.waiting == 0 {
				return used, out, fmt.Errorf("a job %q that was not submitted", body)
			}
			p.handles[p.created[p.first]] = handleKey(body)
			p.first, p.waiting = (p.first+1)%len(p.created), p.waiting-1
		case gearWorkComplete:
			handle, result, _ := bytes.Cut(body, zeroByte)
			if i := p.complete(handle, result, now); i >= 0 && p.ledger.issuing {
				out = p.submit(i, out, now)
			}
		default:
			return used, out, fmt.Errorf("a packet of type %d, which no producer gets: %.200q", kind, body)
		}
	}
}

// complete takes one result and returns the slot that it frees, -1 for none.
func (p *gearProducer) complete(handle, result []byte, now int64) int {
	key := handleKey(handle)
	for range p.handles {
		i := p.likely
		if p.likely++; p.likely == len(p.handles) {
			p.likely = 0
		}
		if p.handles[i] == key {
			p.handles[i] = 0
			p.finish(i, result, now)
			return i
		}
	}
	f := &p.ledger.faults
	f.add(&f.Stray, "%s got a result for %q, a job that it does not wait for", p.name, handle)
	return -1
}

// zeroByte separates the parts of a packet.
var zeroByte = []byte{0}

// handleKey is the end of a handle: the server numbers jobs in decimal, so
// that no two among 10^8 in a row have the same. It is not 0.
func handleKey(handle []byte) (key uint64) {
	if len(handle) >= 8 {
		return binary.LittleEndian.Uint64(handle[len(handle)-8:])
	}
	key = 1
	for _, c := range handle {
		key = key<<8 | uint64(c)
	}
	return key
}

// gearWorker does jobs. It keeps as many GRAB_JOBs under way as it has
// credits, and sleeps when the server has answered all with NO_JOB.
type gearWorker struct {
	id      int
	credits int
	asked   int // GRAB_JOBs that are not answered
}

func newGearWorker(id, credits int) *gearWorker { return &gearWorker{id: id, credits: credits} }

// The packets of a worker that are always the same.
var (
	gearCanDoWork = gearPacket(gearCanDo, "work")
	gearGrab      = gearPacket(gearGrabJob, "")
	gearSleep     = gearPacket(gearPreSleep, "")
)

// open registers the function and asks for the first jobs.
func (w *gearWorker) open(out []byte, _ int64) []byte {
	return w.grab(append(out, gearCanDoWork...), w.credits)
}

// grab asks for n more jobs, as far as the credits go.
func (w *gearWorker) grab(out []byte, n int) []byte {
	for ; n > 0 && w.asked < w.credits; n-- {
		out = append(out, gearGrab...)
		w.asked++
	}
	return out
}

// receive does all jobs in data.
func (w *gearWorker) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	for {
		kind, body, size, err := nextGear(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		switch kind {
		case gearJobAssign:
			w.asked--
			if out, err = w.job(body, out); err != nil {
				return used, out, err
			}
			out = w.grab(out, 2) // where there was one there may be more
		case gearNoJob:
			if w.asked--; w.asked == 0 {
				out = append(out, gearSleep...)
			}
		case gearNoop:
			out = w.grab(out, 1)
		default:
			return used, out, fmt.Errorf("a packet of type %d, which no worker gets: %.200q", kind, body)
		}
	}
}

// job answers one job: a handle, the function and the options.
func (w *gearWorker) job(body, out []byte) ([]byte, error) {
	handle, rest, _ := bytes.Cut(body, zeroByte)
	options, ok := bytes.CutPrefix(rest, []byte("work\x00"))
	a, b, whole := parseOptions(options)
	if !ok || !whole {
		return out, fmt.Errorf(`%.300q is no job "work" with the options as they were sent`, body)
	}
	out = append(out, "\x00REQ\x00\x00\x00\x0d"...) // gearWorkComplete
	out = binary.BigEndian.AppendUint32(out, uint32(len(handle)+1+sumLen))
	out = append(append(out, handle...), 0)
	return appendSum(out, a.plus(b)), nil
}

// String names the worker in errors.
func (w *gearWorker) String() string { return fmt.Sprintf("Gearman worker %d", w.id) }
