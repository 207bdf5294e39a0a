package dispatch_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"workman/dispatch"
)

// disk stands for the store: a sorted map that takes batches late and in order, and answers questions later still, from any
// state it had since. A crash leaves what is safe, and nothing else.
type disk struct {
	safe    map[string]string // table and key → value
	latest  map[string]string // with what is pending
	pending []pending
	last    uint64 // number of the last batch that came
	durable uint64 // of the last that is safe
	told    uint64 // of the last that the dispatcher knows to be
	loads   []*load
	failed  bool
}

// pending is a batch that is not safe.
type pending struct {
	n   uint64
	ops []change
}

// change is one operation; a deletion has no value.
type change struct {
	key, value string
	deleted    bool
}

// load is a question, and its answer once it has been read.
type load struct {
	dispatch.Load
	scanned bool
	how     uint32
	found   []string
	values  []string
	looked  bool
	rows    []byte
}

func newDisk() *disk { return &disk{safe: map[string]string{}, latest: map[string]string{}} }

func apply(m map[string]string, c change) {
	if c.deleted {
		delete(m, c.key)
	} else {
		m[c.key] = c.value
	}
}

// sync makes up to n batches safe.
func (s *disk) sync(n int) {
	n = min(n, len(s.pending))
	for _, p := range s.pending[:n] {
		for _, c := range p.ops {
			apply(s.safe, c)
		}
		s.durable = p.n
	}
	s.pending = s.pending[n:]
}

// crash forgets what is not safe, and who asked.
func (s *disk) crash() {
	s.latest = maps.Clone(s.safe)
	*s = disk{safe: s.safe, latest: s.latest}
}

func (s *disk) get(from map[string]string, table byte, key []byte) []byte {
	v, ok := from[string(table)+string(key)]
	if !ok {
		return nil
	}
	return []byte(v)
}

// keysOf are the keys of a table, in order, from the first that is not below from, up to the first that is not below to.
func keysOf(m map[string]string, table byte, from, to []byte) (keys []string) {
	for k := range m {
		if k[0] != table || k[1:] < string(from) || to != nil && k[1:] >= string(to) {
			continue
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// scan reads the rows that a load asks for, of what is safe now, and at most so many.
func (l *load) scan(s *disk, limit int) {
	l.scanned, l.how = true, dispatch.LoadWhole
	if l.Table == 0 {
		return
	}
	if len(l.Keys) > 0 {
		if key := string(l.Table) + string(l.Keys[0][:]); s.safe[key] != "" {
			l.found = []string{key}
		}
	} else {
		l.found = keysOf(s.safe, l.Table, l.From, l.To)
	}
	if limit = min(limit, max(l.Limit, len(l.Keys))); len(l.found) > limit {
		l.found, l.how = l.found[:limit], dispatch.LoadPart
	}
	for _, k := range l.found {
		l.values = append(l.values, s.safe[k])
	}
}

// next is what is left of a question with keys, when the first of them is answered; nil: nothing.
func (l *load) next() *load {
	if len(l.Keys) < 2 {
		return nil
	}
	left := &load{Load: l.Load}
	left.N, left.Keys = l.N+1, l.Keys[1:]
	return left
}

// look looks up the runs of these rows, which may be newer by now than the rows are, and makes the answer.
func (l *load) look(s *disk) (rows []byte) {
	if l.Table == 0 {
		return dispatch.AppendRow(nil, nil, nil, s.also(l.Also, l.ID[:]))
	}
	for i, k := range l.found {
		id, _ := idOf(k, l.values[i])
		if l.Table == dispatch.TableRules {
			id, _ = dispatch.RuleLast([]byte(l.values[i]))
		}
		rows = dispatch.AppendRow(rows, []byte(k[1:]), []byte(l.values[i]), s.also(l.Also, id[:]))
	}
	return rows
}

func (s *disk) also(tables string, id []byte) (all [][]byte) {
	for _, table := range []byte(tables) {
		all = append(all, s.get(s.safe, table, id))
	}
	return all
}

// idOf is the run that a row is about; ok is false for those of the server itself, and of schedules.
func idOf(key, value string) (id dispatch.ID, ok bool) {
	k := []byte(key[1:])
	switch key[0] {
	case dispatch.TableRuns, dispatch.TableStatus, dispatch.TableOutcomes, dispatch.TableCalls:
		return dispatch.ID(k), true
	case dispatch.TableQueue, dispatch.TableKeys:
		return dispatch.ID([]byte(value)), true
	case dispatch.TableDue:
		_, id, what, ok := dispatch.ParseDueKey(k)
		return id, ok && what != dispatch.DueRule
	case dispatch.TableExpiry:
		_, id, ok = dispatch.ParseExpiryKey(k)
		return id, ok
	case dispatch.TableFailed:
		return dispatch.ID(k[len(k)-16:]), true
	}
	return id, false
}

// stampOf is the highest stamp that the store knows to have been given out: of an id, or of a place in line.
func (s *disk) stampOf() (stamp uint64) {
	for k, v := range s.safe {
		switch {
		case k[0] == dispatch.TableRuns:
			stamp = max(stamp, dispatch.ID([]byte(k[1:])).Stamp())
		case k[0] == dispatch.TableQueue:
			if _, _, place, ok := dispatch.ParseQueueKey([]byte(k[1:])); ok {
				stamp = max(stamp, place)
			}
		case k == string(dispatch.TableMeta)+dispatch.MetaStamp:
			var n uint64
			for _, c := range []byte(v) {
				n = n<<8 | uint64(c)
			}
			stamp = max(stamp, n)
		}
	}
	return stamp
}

// restore tells a new dispatcher what there is, as it is told at the server's start.
func (s *disk) restore(d *dispatch.Dispatcher, epoch uint32, stamp uint64) {
	d.Begin(epoch, stamp)
	type lane struct {
		name string
		rank uint8
	}
	lanes := map[lane]int{}
	runs, size := 0, int64(0)
	for k, v := range s.safe {
		switch k[0] {
		case dispatch.TableQueue:
			name, rank, _, _ := dispatch.ParseQueueKey([]byte(k[1:]))
			lanes[lane{string(name), rank}]++
		case dispatch.TableExpiry:
			runs++
			size += dispatch.ExpirySize([]byte(v))
		}
	}
	order := slices.SortedFunc(maps.Keys(lanes), func(a, b lane) int {
		return strings.Compare(a.name+string(a.rank), b.name+string(b.rank))
	})
	for _, l := range order {
		d.Stored([]byte(l.name), l.rank, lanes[l])
	}
	d.Kept(runs, size)
}

// changes are a batch's operations, owned.
func changes(ops []dispatch.Op, data []byte) (all []change) {
	for _, o := range ops {
		all = append(all, change{
			key: string(o.Table) + string(o.Key.Of(data)), value: string(bytes.Clone(o.Value.Of(data))), deleted: o.Delete,
		})
	}
	return all
}
