package dispatch

import "encoding/binary"

// name is a task name that somebody uses: a worker that registered it, or a task that bears it. It goes when the last
// of them does.
type name struct {
	text      []byte
	refs      int // workers registered and tasks, in whatever state
	workers   int // workers registered
	leased    int // with a worker
	scheduled int // runs in memory that wait for their time
	queue     queue

	members []*member // its places in the classes that hold it
	ready   members   // of these, the ones whose class may have a worker to spare
	unaware members   // of these, the ones whose class does not know that the queue may hold something

	older, newer uint32 // the names that have workers, in the order they got their first
}

// names knows every name by its number, and finds the number by the text. Number 0 is never used.
type names struct {
	all    []*name
	spare  []uint32
	index  map[string]uint32
	recent [recentNames]uint32 // numbers, by a few bits of the text: where most are found without the map
	oldest uint32              // of the names that have workers
	newest uint32
}

// find returns the number of a name, or 0. hint is the number it had last for whoever asks.
func (ns *names) find(text []byte, hint uint32) uint32 {
	if hint != 0 {
		if n := ns.all[hint]; n != nil && string(n.text) == string(text) {
			return hint
		}
	}
	recent := &ns.recent[recentOf(text)]
	if num := *recent; num != 0 {
		if n := ns.all[num]; n != nil && string(n.text) == string(text) {
			return num
		}
	}
	num := ns.index[string(text)]
	*recent = num
	return num
}

const recentNames = 4096

// recentOf is where a name's number may stand: names of a family differ in their last bytes.
func recentOf(text []byte) uint64 {
	var x uint64
	if n := len(text); n >= 8 {
		x = binary.LittleEndian.Uint64(text[n-8:])
	} else {
		for _, c := range text {
			x = x<<8 | uint64(c)
		}
	}
	return (x + uint64(len(text))) * 0x9e3779b97f4a7c15 >> (64 - 12)
}

// add makes a name known; its first reference is the caller's to count.
func (ns *names) add(text []byte) uint32 {
	n := &name{text: append([]byte(nil), text...), unaware: members{tips: true}}
	var num uint32
	if k := len(ns.spare); k > 0 {
		num = ns.spare[k-1]
		ns.spare = ns.spare[:k-1]
		ns.all[num] = n
	} else {
		if len(ns.all) == 0 {
			ns.all = append(ns.all, nil)
		}
		num = uint32(len(ns.all))
		ns.all = append(ns.all, n)
	}
	ns.index[string(n.text)] = num
	return num
}

// drop takes one reference off, and the name away with the last.
func (ns *names) drop(num uint32) {
	n := ns.all[num]
	if n.refs--; n.refs == 0 {
		delete(ns.index, string(n.text))
		ns.all[num] = nil
		ns.spare = append(ns.spare, num)
	}
}

// staffed counts one worker more or less for a name, and keeps the list of names that have any.
func (ns *names) staffed(num uint32, by int) {
	n := ns.all[num]
	was := n.workers
	n.workers += by
	switch {
	case was == 0:
		n.older, n.newer = ns.newest, 0
		if ns.newest != 0 {
			ns.all[ns.newest].newer = num
		} else {
			ns.oldest = num
		}
		ns.newest = num
	case n.workers == 0:
		if n.older != 0 {
			ns.all[n.older].newer = n.newer
		} else {
			ns.oldest = n.newer
		}
		if n.newer != 0 {
			ns.all[n.newer].older = n.older
		} else {
			ns.newest = n.older
		}
		n.older, n.newer = 0, 0
	}
}
