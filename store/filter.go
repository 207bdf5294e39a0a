package store

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// filterBits is how many bits of a filter there are for a key: one lookup in a hundred is then misled.
const filterBits = 10

// filters are of the keys of some tables, so that a key that is not there need not be looked for in vain: without them a
// block of a sorted table has to be read to know that. They are in the files with the sorted tables.
type filters struct {
	bloom.FilterPolicy
	tables string // letters in order
}

func newFilters(tables string) filters {
	letters := []byte(tables)
	slices.Sort(letters)
	return filters{bloom.FilterPolicy(filterBits), string(slices.Compact(letters))}
}

func (f filters) has(key []byte) bool { return strings.IndexByte(f.tables, key[0]) >= 0 }

// Name says which tables these are of. Filters of another name are not used, so that tables may be given filters, or lose
// them, at any time.
func (f filters) Name() string { return "workman.bloom." + f.tables }

// MayContain reports whether the key may be among those that the filter was made of. What was made of none says nothing.
func (f filters) MayContain(kind pebble.FilterType, filter, key []byte) bool {
	return !f.has(key) || len(filter) <= len(noFilter) || f.FilterPolicy.MayContain(kind, filter, key)
}

func (f filters) NewWriter(kind pebble.FilterType) pebble.FilterWriter {
	return &filterWriter{FilterWriter: f.FilterPolicy.NewWriter(kind), filters: f}
}

// noFilter is written where there is none.
var noFilter = []byte{0}

type filterWriter struct {
	pebble.FilterWriter
	filters
	any bool
}

func (w *filterWriter) AddKey(key []byte) {
	if w.has(key) {
		w.any = true
		w.FilterWriter.AddKey(key)
	}
}

func (w *filterWriter) Finish(buf []byte) []byte {
	if !w.any {
		return append(buf, noFilter...)
	}
	w.any = false
	return w.FilterWriter.Finish(buf)
}

// find looks up a key of a table with filters. Pebble's own Get does not use those of the last level, where most keys are.
func (s *state) find(key []byte) (value []byte, ok bool, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, false, err
	}
	if it.SeekPrefixGE(key) && bytes.Equal(it.Key(), key) {
		value, err = it.ValueAndErr()
		value, ok = bytes.Clone(value), err == nil
	}
	if closed := it.Close(); err == nil {
		err = closed
	}
	return value, ok && err == nil, err
}
