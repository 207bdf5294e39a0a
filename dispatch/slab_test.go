package dispatch_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"workman/dispatch"
)

// TestSlabSizes holds each size to what its comment says: it fits, and wastes at most a third.
func TestSlabSizes(t *testing.T) {
	for n := 1; n <= dispatch.SlabLargest; n++ {
		size := int(dispatch.SlabSize(dispatch.SlabClass(n)))
		if size < n {
			t.Fatalf("%d bytes get a block of %d", n, size)
		}
		if n > 32 && (size-n)*3 > size {
			t.Fatalf("%d bytes get a block of %d: more than a third is idle", n, size)
		}
	}
}

// TestSlabModel puts and releases blocks of all sizes at random, and checks that none ever changes under another.
func TestSlabModel(t *testing.T) {
	type held struct {
		b    dispatch.SlabBlock
		want []byte
	}
	r := rand.New(rand.NewPCG(1, 2))
	s := dispatch.NewSlab(64 << 20)
	var all []held
	for step := range 60_000 {
		if grow := step < 40_000; r.IntN(5) < 2 == grow && len(all) > 0 {
			i := r.IntN(len(all))
			h := all[i]
			if got := s.Bytes(h.b, len(h.want)); !bytes.Equal(got, h.want) {
				t.Fatalf("step %d: a block of %d bytes changed", step, len(h.want))
			}
			s.Release(h.b)
			if got := s.Bytes(h.b, len(h.want)); !bytes.Equal(got, h.want) {
				t.Fatalf("step %d: a released block changed before it was settled", step)
			}
			s.Settle()
			all[i] = all[len(all)-1]
			all = all[:len(all)-1]
			continue
		}
		n := 1 + r.IntN(200)
		if r.IntN(50) == 0 {
			n = 1 + r.IntN(40_000)
		}
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(r.Uint32())
		}
		cut := r.IntN(n + 1)
		if b, ok := s.Put(want[:cut], want[cut:]); ok {
			all = append(all, held{b, want})
		}
	}
	for _, h := range all {
		if !bytes.Equal(s.Bytes(h.b, len(h.want)), h.want) {
			t.Fatal("a block changed")
		}
		s.Release(h.b)
	}
	s.Settle()
	// One page of each size is kept.
	if most := int64(dispatch.SlabClass(dispatch.SlabLargest)+1) * 64 << 10; s.Held() > most {
		t.Fatalf("with nothing in it the slab holds %d bytes, want at most %d", s.Held(), most)
	}
}

func TestSlabLimit(t *testing.T) {
	s := dispatch.NewSlab(200 << 10)
	n := 0
	for ; ; n++ {
		if _, ok := s.Put(make([]byte, 1000), nil); !ok {
			break
		}
	}
	if n < 150 || s.Held() > 200<<10 {
		t.Fatalf("%d blocks of 1000 bytes fit into 200 KiB, and it holds %d", n, s.Held())
	}
	if _, ok := s.Put(make([]byte, 1<<20), nil); ok {
		t.Fatal("a megabyte fitted into 200 KiB")
	}
}
