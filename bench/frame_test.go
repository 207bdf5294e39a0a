package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// serverFrame is a frame as a server sends it, built after RFC 6455 5.2.
func serverFrame(first byte, size int) []byte {
	var b []byte
	switch {
	case size < 126:
		b = []byte{first, byte(size)}
	case size < 1<<16:
		b = []byte{first, 126, byte(size >> 8), byte(size)}
	default:
		b = []byte{first, 127, 0, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}
	}
	return append(b, bytes.Repeat([]byte("x"), size)...)
}

func TestNextFrameTakesWholeFramesOnly(t *testing.T) {
	for _, size := range []int{0, 1, 48, 125, 126, 127, 65535, 65536, maxFrame} {
		b := serverFrame(0x81, size)
		for _, cut := range []int{0, 1, 2, 3, 4, 9, 10, len(b) - 1} {
			if cut < 0 || cut >= len(b) {
				continue
			}
			if f, n, err := nextFrame(b[:cut]); n != 0 || err != nil {
				t.Fatalf("%d of %d bytes: %d, %v, %v", cut, len(b), len(f.payload), n, err)
			}
		}
		f, n, err := nextFrame(append(b, 0x81))
		if err != nil || n != len(b) || f.opcode != opText || len(f.payload) != size {
			t.Errorf("a frame of %d: opcode %d, %d bytes of %d, %v", size, f.opcode, len(f.payload), n, err)
		}
	}
}

func TestNextFrameRefuses(t *testing.T) {
	for want, b := range map[string][]byte{
		"reserved":   {0xc1, 0},
		"a fragment": {0x01, 0},
		"a masked":   {0x81, 0x80},
		"at most":    {0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0},
	} {
		if _, _, err := nextFrame(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("% x: %v, not %q", b, err, want)
		}
	}
	if _, _, err := nextFrame([]byte{0x80, 0}); err == nil || !strings.Contains(err.Error(), "a fragment") {
		t.Errorf("the end of a fragmented message: %v", err)
	}
}

func TestAppendFrameMasks(t *testing.T) {
	m := newMask(0x1234567890abcdef)
	for _, size := range []int{0, 1, 7, 125, 126, 65535, 65536} {
		payload := strings.Repeat("0123456789", size/10+1)[:size]
		b := m.appendFrame([]byte("before"), opText, payload)[len("before"):]
		head := len(b) - size
		want := serverFrame(0x81, size)
		want[1] |= 0x80
		if n := ownFrame(append(b, b...)); n != len(b) {
			t.Errorf("a frame of %d in %d bytes is taken for one of %d", size, len(b), n)
		}
		if !bytes.Equal(b[:head-4], want[:len(want)-size]) {
			t.Errorf("a frame of %d begins % x", size, b[:head])
		}
		if string(b[head-4:head]) != "\xef\xcd\xab\x90" {
			t.Errorf("a frame of %d has the mask % x", size, b[head-4:head])
		}
		for i := range payload {
			if b[head+i]^b[head-4+i%4] != payload[i] {
				t.Fatalf("a frame of %d is wrong at %d", size, i)
			}
		}
	}
}

func TestMaskFallsAnywhere(t *testing.T) {
	m := newMask(0xdeadbeef)
	for offset := range 9 {
		for length := range 30 {
			src := bytes.Repeat([]byte{0x55}, length)
			dst := make([]byte, length+8)
			maskInto(dst, src, m.at(offset))
			for i := range src {
				if want := src[i] ^ "\xef\xbe\xad\xde"[(offset+i)%4]; dst[i] != want {
					t.Fatalf("%d bytes at %d: byte %d is %#x, not %#x", length, offset, i, dst[i], want)
				}
			}
		}
	}
}

func TestControlFrames(t *testing.T) {
	m := newMask(7)
	out, err := m.control(frame{opPing, []byte("hello")}, nil)
	if err != nil || len(out) != 11 || out[0] != 0x8a || unmask(t, out)[0] != "hello" {
		t.Errorf("a ping is answered % x, %v", out, err)
	}
	if out, err := m.control(frame{opPong, nil}, nil); len(out) != 0 || err != nil {
		t.Errorf("a pong is answered % x, %v", out, err)
	}
	_, err = m.control(frame{opClose, []byte("\x03\xf1too big")}, nil)
	if !errors.Is(err, errClosed) || !strings.Contains(err.Error(), `1009 "too big"`) {
		t.Errorf("a close gives %v", err)
	}
	if _, err := m.control(frame{opClose, nil}, nil); !errors.Is(err, errClosed) {
		t.Errorf("an empty close gives %v", err)
	}
	if _, err := m.control(frame{2, nil}, nil); err == nil {
		t.Error("binary data is taken")
	}
}
