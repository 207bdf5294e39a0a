package keeper_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/dispatch"
)

// rows encodes what is expected.
func rows(all ...[]byte) []byte { return bytes.Join(all, nil) }

// TestLoad: every kind of question is answered with its rows, and each row with what else is known of its run.
func TestLoad(t *testing.T) {
	k, l := begin(t, config(t, vfs.NewMem()), nil)
	var ops []op
	var queue, due, expiry, failed [4][]byte
	for n := 1; n <= 3; n++ {
		run := id(n)
		queue[n] = dispatch.AppendQueueKey(nil, []byte("mail"), 4, uint64(n))
		due[n] = dispatch.AppendDueKey(nil, int64(n), run, dispatch.DueStart)
		expiry[n] = dispatch.AppendExpiryKey(nil, int64(n), run)
		failed[n] = dispatch.AppendFailedKey(nil, dispatch.Dead, []byte("mail"), run)
		ops = append(ops,
			op{dispatch.TableRuns, run[:], []byte{'r', byte(n)}}, op{dispatch.TableQueue, queue[n], run[:]},
			op{dispatch.TableDue, due[n], []byte("\x04a name of over sixteen bytes")}, op{dispatch.TableExpiry, expiry[n], []byte("7")},
			op{dispatch.TableFailed, failed[n], []byte{}})
	}
	one, two, three, hash := id(1), id(2), id(3), bytes.Repeat([]byte{9}, 16)
	ops = append(ops, op{dispatch.TableStatus, two[:], []byte{}}, op{dispatch.TableKeys, hash, three[:]})
	rule := dispatch.RuleID([]byte("nightly"))
	stored := dispatch.StoredRule{Last: two, Name: []byte("nightly")}
	ops = append(ops, op{dispatch.TableRules, rule[:], stored.Append(nil)})
	k.Keep(batch(1, ops...))
	l.committed(t, 1)

	row := dispatch.AppendRow
	r := func(n byte) []byte { return []byte{'r', n} }
	name := []byte("\x04a name of over sixteen bytes")
	for what, c := range map[string]struct {
		load dispatch.Load
		how  uint32
		want []byte
	}{
		"one run": {dispatch.Load{ID: two, Also: "raf"}, dispatch.LoadWhole, row(nil, nil, nil, [][]byte{r(2), {}, nil})},
		"no run":  {dispatch.Load{ID: id(77), Also: "raf"}, dispatch.LoadWhole, row(nil, nil, nil, [][]byte{nil, nil, nil})},
		"a key": {
			dispatch.Load{Table: dispatch.TableKeys, From: hash, To: append(bytes.Clone(hash), 0), Limit: 1, Also: "r"},
			dispatch.LoadWhole, row(nil, hash, three[:], [][]byte{r(3)}),
		},
		"a schedule, with its last run": {
			dispatch.Load{Table: dispatch.TableRules, From: rule[:], To: append(rule[:], 0), Limit: 1, Also: "raf"},
			dispatch.LoadWhole, row(nil, rule[:], stored.Append(nil), [][]byte{r(2), {}, nil}),
		},
		"no key": {dispatch.Load{Table: dispatch.TableKeys, From: hash[:8], To: hash[:9], Limit: 1, Also: "r"}, dispatch.LoadWhole, nil},
		"the queue": {
			dispatch.Load{Table: dispatch.TableQueue, Limit: 2, Also: "ra"}, dispatch.LoadPart,
			rows(row(nil, queue[1], one[:], [][]byte{r(1), nil}), row(nil, queue[2], two[:], [][]byte{r(2), {}})),
		},
		"the rest of the queue": {
			dispatch.Load{Table: dispatch.TableQueue, From: queue[3], Limit: 2, Also: "r"}, dispatch.LoadWhole,
			row(nil, queue[3], three[:], [][]byte{r(3)}),
		},
		"as many as there are": {
			dispatch.Load{Table: dispatch.TableQueue, From: queue[2], Limit: 2}, dispatch.LoadWhole,
			rows(row(nil, queue[2], two[:], nil), row(nil, queue[3], three[:], nil)),
		},
		"up to so many bytes": {
			dispatch.Load{Table: dispatch.TableQueue, Limit: 9, Bytes: 1, Also: "r"}, dispatch.LoadPart,
			row(nil, queue[1], one[:], [][]byte{r(1)}),
		},
		"what is due": {
			dispatch.Load{Table: dispatch.TableDue, To: due[2], Limit: 9, Also: "r"}, dispatch.LoadWhole,
			row(nil, due[1], name, [][]byte{r(1)}),
		},
		"what expires": {
			dispatch.Load{Table: dispatch.TableExpiry, To: expiry[2], Limit: 9, Also: "r"}, dispatch.LoadWhole,
			row(nil, expiry[1], []byte("7"), [][]byte{r(1)}),
		},
		"what failed": {
			dispatch.Load{Table: dispatch.TableFailed, From: failed[3], Limit: 9, Also: "r"}, dispatch.LoadWhole,
			row(nil, failed[3], nil, [][]byte{r(3)}),
		},
		"what is no run": {
			dispatch.Load{Table: dispatch.TableMeta, Limit: 9, Also: "r"}, dispatch.LoadFailed, nil,
		},
	} {
		c.load.N = 42
		k.Keep(&dispatch.Batch{Loads: []dispatch.Load{c.load}})
		e := l.next(t, dispatch.Loaded)
		if e.Seq != 42 || e.Count != c.how || !bytes.Equal(e.body, c.want) {
			t.Errorf("%s: number %d, %d,\n%q, want %d,\n%q", what, e.Seq, e.Count, e.body, c.how, c.want)
		}
	}
}

// TestLoadsAreBounded: more questions than may wait fail, and are answered all the same; the holder does not wait.
func TestLoadsAreBounded(t *testing.T) {
	cfg := config(t, vfs.NewMem())
	cfg.MaxLoads = 3
	k := open(t, cfg)
	l := &listener{heard: make(chan event, 100)}
	b := &dispatch.Batch{}
	for n := uint64(1); n <= 5; n++ {
		b.Loads = append(b.Loads, dispatch.Load{N: n, ID: id(1), Also: "r"})
	}
	k.Keep(b) // nobody reads yet
	k.Start(l, nil)
	defer func() { _ = k.Close() }()
	how := map[uint64]uint32{}
	for range 5 {
		e := l.next(t, dispatch.Loaded)
		how[e.Seq] = e.Count
	}
	for n := uint64(1); n <= 5; n++ {
		if want := map[bool]uint32{true: dispatch.LoadWhole, false: dispatch.LoadFailed}[n <= 3]; how[n] != want {
			t.Errorf("question %d was answered with %d, want %d", n, how[n], want)
		}
	}
}

// TestLoadKeepsRange: what the dispatcher does to its slices afterwards does not matter.
func TestLoadKeepsRange(t *testing.T) {
	k := open(t, config(t, vfs.NewMem()))
	run := id(1)
	key := dispatch.AppendQueueKey(nil, []byte("mail"), 4, 1)
	from := bytes.Clone(key)
	k.Keep(batch(1, op{dispatch.TableQueue, key, run[:]}))
	if err := k.Store().Wait(1); err != nil {
		t.Fatal(err)
	}
	k.Keep(&dispatch.Batch{Loads: []dispatch.Load{{N: 1, Table: dispatch.TableQueue, From: from, Limit: 1}}})
	for i := range from {
		from[i] = 0xff
	}
	l := &listener{heard: make(chan event, 100)}
	k.Start(l, nil)
	defer func() { _ = k.Close() }()
	for {
		e := <-l.heard
		if e.Kind != dispatch.Loaded {
			continue
		}
		if len(e.body) == 0 {
			t.Error("the row was not found")
		}
		return
	}
}

// keysOf are n keys; every third of them is that of the run with its number.
func keysOf(n int) (keys [][16]byte, ops []op) {
	keys = make([][16]byte, n)
	for i := range keys {
		copy(keys[i][:], fmt.Appendf(nil, "key %d", i))
		if run := id(i); i%3 == 0 {
			ops = append(ops, op{dispatch.TableKeys, keys[i][:], run[:]}, op{dispatch.TableRuns, run[:], []byte{'r', byte(i)}})
		}
	}
	return keys, ops
}

// TestLoadKeys: each of a question's keys is answered for itself, in their order, and all in one input; if they have more
// bytes than that, in several.
func TestLoadKeys(t *testing.T) {
	const n = 600
	k, l := begin(t, config(t, vfs.NewMem()), nil)
	keys, ops := keysOf(n)
	k.Keep(batch(1, ops...))
	l.committed(t, 1)
	for _, bytes := range []int{0, 16 << 20, 1000, 1} {
		k.Keep(&dispatch.Batch{Loads: []dispatch.Load{{N: 7, Table: dispatch.TableKeys, Keys: keys, Bytes: bytes, Also: "rf"}}})
		inputs := map[int]int{}
		for i, key := range keys {
			var want []byte
			if run := id(i); i%3 == 0 {
				want = dispatch.AppendRow(nil, key[:], run[:], [][]byte{{'r', byte(i)}, nil})
			}
			e := l.next(t, dispatch.Loaded)
			if e.Seq != uint64(7+i) || e.Count != dispatch.LoadWhole || !slices.Equal(e.body, want) {
				t.Fatalf("key %d: number %d, %d,\n%q, want\n%q", i, e.Seq, e.Count, e.body, want)
			}
			inputs[e.input] += len(e.body)
		}
		if whole := bytes == 0 || bytes == 16<<20; whole != (len(inputs) == 1) {
			t.Errorf("answers of %d bytes at most come in %d inputs", bytes, len(inputs))
		}
	}
}

// TestLoadKeysTakeTurns: who has few keys does not wait until all of another's have been looked up.
func TestLoadKeysTakeTurns(t *testing.T) {
	cfg := config(t, vfs.NewMem())
	cfg.Readers, cfg.MaxLoads = 1, 3
	k := open(t, cfg)
	many, _ := keysOf(10_000)
	few := many[:20]
	ask := func(n uint64, keys [][16]byte) dispatch.Load {
		return dispatch.Load{N: n, Table: dispatch.TableKeys, Keys: keys, Also: "r"}
	}
	k.Keep(&dispatch.Batch{Loads: []dispatch.Load{ask(1, many), ask(20_001, few), ask(30_001, few), ask(40_001, few)}})
	l := &listener{heard: make(chan event, 20_000)}
	k.Start(l, nil)
	defer func() { _ = k.Close() }()
	var order []uint64
	for range len(many) + 3*len(few) {
		e := l.next(t, dispatch.Loaded)
		if e.Seq%10_000 == 1 {
			order = append(order, e.Seq)
		}
		if failed := e.Seq > 40_000; failed != (e.Count == dispatch.LoadFailed) {
			t.Fatalf("question %d was answered with %d", e.Seq, e.Count)
		}
	}
	if want := []uint64{40_001, 20_001, 30_001, 1}; !slices.Equal(order, want) { // there was no room for the last
		t.Errorf("answered in the order %d, want %d", order, want)
	}
}
