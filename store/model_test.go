package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/store"
)

// The model: what a store must hold after n batches. Each batch is made from its number, so that a number is all one has
// to know of a store, and each writes its number down, so that the store says which number it is at.

const dir = "/data"

// The tables that tests use, as a server might.
const (
	runs     store.Table = 'r'
	outcomes store.Table = 'f'
	states   store.Table = 's'
	due      store.Table = 'd'
	hashes   store.Table = 'k'
)

var counter = []byte("count")

type change struct {
	table  store.Table
	key    []byte
	value  []byte
	delete bool
}

// changes are those of batch n.
func changes(n int) (all []change) {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	all = append(all, change{table: due, key: counter, value: []byte(strconv.Itoa(n))})
	for range rng.IntN(8) {
		c := change{
			table:  []store.Table{runs, outcomes, states, hashes}[rng.IntN(4)],
			key:    fmt.Appendf(nil, "key%03d", rng.IntN(200)),
			delete: rng.IntN(3) == 0,
		}
		if !c.delete {
			c.value = bytes.Repeat([]byte{byte(n), byte(n >> 8)}, rng.IntN(100))
			if rng.IntN(20) == 0 {
				c.value = bytes.Repeat([]byte{byte(n)}, rng.IntN(8000)) // a frame of more than one page
			}
		}
		all = append(all, c)
	}
	return all
}

func fill(b *store.Batch, n int) {
	b.Reset()
	for _, c := range changes(n) {
		if c.delete {
			b.Delete(c.table, c.key)
		} else {
			b.Put(c.table, c.key, c.value)
		}
	}
}

// model is a store after some batches: keys with their table in front.
type model map[string]string

func (m model) apply(n int) {
	for _, c := range changes(n) {
		key := string(rune(c.table)) + string(c.key)
		if c.delete {
			delete(m, key)
		} else {
			m[key] = string(c.value)
		}
	}
}

// models remembers what a store holds after each number of batches up to the highest asked for.
type models struct{ after []model }

func (m *models) at(n int) model {
	if m.after == nil {
		m.after = []model{{}}
	}
	for len(m.after) <= n {
		next := maps.Clone(m.after[len(m.after)-1])
		next.apply(len(m.after))
		m.after = append(m.after, next)
	}
	return m.after[n]
}

var tables = []store.Table{due, outcomes, hashes, runs, states}

// contents reads all of a store in every way there is. The error is the store's own; that two ways disagree is one of
// errWrong.
func contents(s *store.Store) (model, error) {
	m := model{}
	for _, t := range tables {
		var keys, back []string
		err := s.Scan(t, nil, nil, func(key, value []byte) bool {
			keys = append(keys, string(key))
			m[string(rune(t))+string(key)] = string(value)
			return true
		})
		if err != nil {
			return nil, err
		}
		err = s.ScanBack(t, nil, nil, func(key, value []byte) bool {
			back = append(back, string(key))
			return m[string(rune(t))+string(key)] == string(value)
		})
		if err != nil {
			return nil, err
		}
		slices.Reverse(back)
		if !slices.Equal(keys, back) || !slices.IsSorted(keys) {
			return nil, fmt.Errorf("%w: table %q reads %q forwards and %q backwards", errWrong, t, keys, back)
		}
		for _, key := range append(keys, "key000", "key", "key199x") {
			value, ok, err := s.Get(t, []byte(key))
			if err != nil {
				return nil, err
			}
			if want, there := m[string(rune(t))+key]; ok != there || string(value) != want {
				return nil, fmt.Errorf("%w: table %q: Get(%q) finds %v %.20q, Scan %v %.20q", errWrong, t, key, ok, value, there, want)
			}
		}
	}
	return m, nil
}

var errWrong = errors.New("the store is wrong")

// verify sees that a store holds exactly what it held after some number of batches, not fewer than told and no more than
// appended, and says which.
func (m *models) verify(s *store.Store, told, appended int) (int, error) {
	got, err := contents(s)
	if err != nil {
		return 0, err
	}
	return m.compare(got, told, appended)
}

// compare is verify for what was read of a store.
func (m *models) compare(got model, told, appended int) (n int, err error) {
	if text, ok := got[string(rune(due))+string(counter)]; ok {
		if n, err = strconv.Atoi(text); err != nil {
			return 0, fmt.Errorf("%w: it says it is at %q", errWrong, text)
		}
	}
	if n < told || n > appended {
		return 0, fmt.Errorf("%w: it is at batch %d, but %d were told to be durable, and %d appended", errWrong, n, told, appended)
	}
	if want := m.at(n); !maps.Equal(got, want) {
		return 0, fmt.Errorf("%w: it is at batch %d, but holds %d keys, and should %d:\n%s", errWrong, n, len(got), len(want), difference(got, want))
	}
	return n, nil
}

func difference(got, want model) string {
	var text bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if value, ok := got[key]; !ok || value != want[key] {
			fmt.Fprintf(&text, "%q: %v %.20q, want %.20q\n", key, ok, value, want[key])
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			fmt.Fprintf(&text, "%q is there\n", key)
		}
	}
	return text.String()
}

// small is a configuration with which much happens in little.
func small(fs vfs.FS) store.Config {
	cfg := store.DefaultConfig()
	cfg.SegmentBytes = 32 << 10
	cfg.Segments = 5
	cfg.CacheBytes = 1 << 20
	cfg.Filtered = "k"
	cfg.Reserve = 1
	cfg.FS = fs
	return cfg
}

func open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// appendTo appends the batches from one number to another, several at a time, and waits for all of them.
func appendTo(t testing.TB, s *store.Store, from, to int) {
	t.Helper()
	var b store.Batch
	var last uint64
	for n := from; n <= to; n++ {
		fill(&b, n)
		var err error
		if last, err = s.Append(&b); err != nil {
			t.Fatal(err)
		}
		if n%3 == 0 || n == to {
			if err := s.Wait(last); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// files are a file system's files with their contents.
type files map[string][]byte

func dump(t testing.TB, fs vfs.FS, at string) files {
	t.Helper()
	all := files{}
	names, err := fs.List(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := fs.PathJoin(at, name)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			maps.Copy(all, dump(t, fs, path))
			continue
		}
		f, err := fs.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path], err = io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return all
}

// restore makes a file system of files.
func (f files) restore(t testing.TB) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	for name := range f {
		if err := fs.MkdirAll(fs.PathDir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		f.write(t, fs, name, f[name])
	}
	if err := fs.MkdirAll(dir+"/store/tables", 0o700); err != nil {
		t.Fatal(err)
	}
	return fs
}

func (f files) write(t testing.TB, fs vfs.FS, name string, contents []byte) {
	t.Helper()
	file, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(bytes.Clone(contents)); err != nil { // it may change what it is given
		t.Fatal(err)
	}
	file.Close()
}
