package dispatch_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"workman/dispatch"
)

func TestTokenText(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		tok := dispatch.Token{Slot: r.Uint32(), Secret: r.Uint64()}
		text := tok.Append(nil)
		if want := fmt.Sprintf("%08x%016x", tok.Slot, tok.Secret); string(text) != want {
			t.Fatalf("%+v is written %s, want %s", tok, text, want)
		}
		if back, ok := dispatch.ParseToken(text); !ok || back != tok {
			t.Fatalf("%s reads as %+v %v, want %+v", text, back, ok, tok)
		}
	}
	// No byte but a lower-case digit is taken, at any place.
	for i := range dispatch.TokenLen {
		for c := range 256 {
			text := []byte("0123456789abcdef01234567")
			text[i] = byte(c)
			_, ok := dispatch.ParseToken(text)
			if want := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'; ok != want {
				t.Fatalf("%q is taken: %v", text, ok)
			}
		}
	}
	for _, bad := range []string{"", "0123456789abcdef0123456", "0123456789abcdef012345678", "0123456789ABCDEF01234567",
		"0123456789abcdeg01234567", "0123456789abcdef 1234567", "g123456789abcdef01234567", "0123456789abcdef0123456/"} {
		if tok, ok := dispatch.ParseToken([]byte(bad)); ok {
			t.Errorf("%q reads as %+v", bad, tok)
		}
	}
}

func TestConnParts(t *testing.T) {
	c := dispatch.MakeConn(255, 1<<24-1, 1<<32-1)
	if c.Loop() != 255 || c.Slot() != 1<<24-1 || c.Generation() != 1<<32-1 {
		t.Fatalf("%x: %d %d %d", c, c.Loop(), c.Slot(), c.Generation())
	}
	if c := dispatch.MakeConn(1, 2, 3); c.Loop() != 1 || c.Slot() != 2 || c.Generation() != 3 {
		t.Fatalf("%x: %d %d %d", c, c.Loop(), c.Slot(), c.Generation())
	}
}

// TestSizes holds what there may be a million of to what is promised: a waiting call costs at most 100 bytes beyond its
// payload, and an event is one cache line.
func TestSizes(t *testing.T) {
	if dispatch.TaskSize > 100 {
		t.Errorf("a task is %d bytes, want at most 100", dispatch.TaskSize)
	}
	if n := unsafe.Sizeof(dispatch.Event{}); n > 72 {
		t.Errorf("an event is %d bytes, want at most 72", n)
	}
}
