package main

import "fmt"

// opBinary is the opcode of what NATS sends: its protocol is a stream of
// bytes, which frames cut anywhere.
const opBinary = 0x2

// framed is a peer whose stream of bytes travels in WebSocket frames: one for
// all that one read makes it send, as NATS' own clients do.
type framed struct {
	inner  peer
	mask   mask
	stream []byte // taken out of frames, not yet a whole message
	plain  []byte // what inner sends
}

// framedDebtor is a framed producer.
type framedDebtor struct {
	framed
	debtor debtor
}

// lost counts what the producer never got.
func (f *framedDebtor) lost() { f.debtor.lost() }

// open frames what inner sends first.
func (f *framed) open(out []byte, now int64) []byte {
	f.plain = f.inner.open(f.plain[:0], now)
	return f.flush(out)
}

// receive gives inner the payloads of all whole frames in data.
func (f *framed) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	f.plain = f.plain[:0]
	for {
		frame, size, err := nextFrame(data[used:])
		if size == 0 || err != nil {
			return used, f.flush(out), err
		}
		used += size
		if frame.opcode == opBinary {
			err = f.take(frame.payload, now)
		} else {
			out, err = f.mask.control(frame, out)
		}
		if err != nil {
			return used, out, err
		}
	}
}

// take gives inner one payload, behind what the last one left.
func (f *framed) take(payload []byte, now int64) (err error) {
	var used int
	if len(f.stream) == 0 {
		used, f.plain, err = f.inner.receive(payload, f.plain, now)
		f.stream = append(f.stream, payload[used:]...)
		return err
	}
	f.stream = append(f.stream, payload...)
	used, f.plain, err = f.inner.receive(f.stream, f.plain, now)
	f.stream = f.stream[:copy(f.stream, f.stream[used:])]
	if len(f.stream) > readBuffer {
		return fmt.Errorf("a message of more than %d bytes", readBuffer)
	}
	return err
}

// flush appends what inner sends, as one frame.
func (f *framed) flush(out []byte) []byte {
	n := len(f.plain)
	if n == 0 {
		return out
	}
	out = f.mask.appendHeader(out, opBinary, n)
	start := len(out)
	out = append(out, f.plain...)
	maskInto(out[start:], f.plain, uint64(f.mask))
	return out
}

// String names inner in errors.
func (f *framed) String() string { return f.inner.String() }
