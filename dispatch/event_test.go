package dispatch_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"workman/dispatch"
)

func TestTokenText(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		tok := dispatch.Token{Slot: r.Uint32(), Secret: r.Uint64()}
		text := tok.Append(nil)
		hex := fmt.Sprintf("%08x%016x", tok.Slot, tok.Secret)
		want := strings.Map(func(c rune) rune { return 'a' + rune(strings.IndexRune("0123456789abcdef", c)) }, hex)
		if string(text) != want {
			t.Fatalf("%+v is written %s, want %s", tok, text, want)
		}
		if back, ok := dispatch.ParseToken(text); !ok || back != tok {
			t.Fatalf("%s reads as %+v %v, want %+v", text, back, ok, tok)
		}
	}
	// No byte but such a letter is taken, at any place.
	for i := range dispatch.TokenLen {
		for c := range 256 {
			text := []byte("abcdefghijklmnopabcdefgh")
			text[i] = byte(c)
			_, ok := dispatch.ParseToken(text)
			if want := 'a' <= c && c <= 'p'; ok != want {
				t.Fatalf("%q is taken: %v", text, ok)
			}
		}
	}
	for _, bad := range []string{"", "abcdefghijklmnopabcdefg", "abcdefghijklmnopabcdefghi", "ABCDEFGHIJKLMNOPABCDEFGH",
		"abcdefghijklmnopabcdefgq", "abcdefghijklmnop bcdefgh", "0bcdefghijklmnopabcdefgh", "abcdefghijklmnopabcdefg`"} {
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
