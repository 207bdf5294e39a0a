package store_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"workman/store"
)

// written is an operation as it was given to a batch.
type written struct {
	key    []byte // with its table
	n      int    // which one it is
	delete bool
}

// sorted sorts operations as simply as can be. In tables of once it leaves out what was set and deleted.
func sorted(all []written, once string) []written {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b written) int { return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(b.n, a.n)) })
	var left []written
	for len(all) > 0 {
		n := 1
		for n < len(all) && bytes.Equal(all[n].key, all[0].key) {
			n++
		}
		annihilated := bytes.IndexByte([]byte(once), all[0].key[0]) >= 0 && all[0].delete && !all[n-1].delete
		if !annihilated {
			left = append(left, all[:n]...)
		}
		all = all[n:]
	}
	return left
}

// shapes are keys as users write them: n counts up.
var shapes = map[string]func(r *rand.Rand, n uint64) []byte{
	"ascending":  func(_ *rand.Rand, n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) },
	"descending": func(_ *rand.Rand, n uint64) []byte { return binary.BigEndian.AppendUint64(nil, -n) },
	"random":     func(r *rand.Rand, _ uint64) []byte { return binary.BigEndian.AppendUint64(nil, r.Uint64()) },
	"a few piles mixed": func(r *rand.Rand, n uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte("name"), n-100*r.Uint64N(4))
	},
	"long, told apart at the end": func(r *rand.Rand, _ uint64) []byte {
		return append(bytes.Repeat([]byte("x"), int(r.Uint64N(2))*100), byte(r.Uint64N(5)))
	},
	"told apart far from where they begin to differ": func(r *rand.Rand, _ uint64) []byte {
		return append(append([]byte{byte(r.Uint64N(2))}, make([]byte, 40)...), byte(r.Uint64N(9)))
	},
	"zeros, of all lengths": func(r *rand.Rand, _ uint64) []byte { return make([]byte, r.Uint64N(30)) },
	"a few, again and again": func(r *rand.Rand, _ uint64) []byte {
		return binary.BigEndian.AppendUint64(nil, r.Uint64N(10))
	},
	"empty": func(*rand.Rand, uint64) []byte { return nil },
}

// TestOrder sorts operations on keys of all shapes, all at once and a part at a time, and compares with what is simply sorted.
func TestOrder(t *testing.T) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var all []written
			var b store.Batch
			for n := range 3000 {
				table := []store.Table{runs, states}[r.IntN(2)]
				key := shape(r, uint64(n))
				if len(all) > 10 && r.IntN(3) == 0 { // what was set a little before is deleted
					old := all[len(all)-1-r.IntN(10)].key
					table, key = store.Table(old[0]), old[1:]
				}
				w := written{key: append([]byte{byte(table)}, key...), n: n, delete: r.IntN(2) == 0}
				if all = append(all, w); w.delete {
					b.Delete(table, key)
				} else {
					b.Put(table, key, []byte("value"))
				}
			}
			keys, which := store.SortedKeys([][]byte{b.Ops()}, "")
			sameOrder(t, keys, which, sorted(all, ""))
			keys, which = store.SortedKeys(inParts(r, b.Ops()), "")
			sameOrder(t, keys, which, sorted(all, ""))
			once := string([]byte{byte(states)})
			if keys, which = store.SortedKeys([][]byte{b.Ops()}, once); len(which) < len(all) { // it may leave all there
				sameOrder(t, keys, which, sorted(all, once))
			} else if name == "ascending" {
				t.Error("nothing was annihilated")
			}
		})
	}
}

// inParts are the operations in frames of up to a thousand.
func inParts(r *rand.Rand, ops []byte) (parts [][]byte) {
	for len(ops) > 0 {
		end := 0
		for range 1 + r.IntN(1000) {
			if end == len(ops) {
				break
			}
			_, _, _, size := store.Operation(ops[end:])
			end += size
		}
		parts, ops = append(parts, ops[:end]), ops[end:]
	}
	return parts
}

func sameKeys(t *testing.T, keys [][]byte, want []written) {
	t.Helper()
	if !slices.EqualFunc(keys, want, func(key []byte, w written) bool { return bytes.Equal(key, w.key) }) {
		t.Fatalf("%d keys are not the %d that were to be expected, or in another order", len(keys), len(want))
	}
}

func sameOrder(t *testing.T, keys [][]byte, which []int, want []written) {
	t.Helper()
	sameKeys(t, keys, want)
	for i, n := range which {
		if n != want[i].n {
			t.Fatalf("the %dth key is of operation %d, and should be of %d", i, n, want[i].n)
		}
	}
}
