package store

import (
	"bytes"
	"slices"
)

// insert makes one ascending sequence of a long one and a few more, all of them newer: it looks for the place of each of
// the few and copies what is between, where merge would compare the key of every entry. Who scans again and again while
// much is written brings few each time.
func (s *snapshot) insert(long, few []uint32) []uint32 {
	all := make([]uint32, 0, len(long)+len(few))
	for _, n := range few {
		key, _ := s.key(n)
		at, _ := slices.BinarySearchFunc(long, key, func(i uint32, key []byte) int {
			of, _ := s.key(i)
			return bytes.Compare(of, key)
		})
		all = append(append(all, long[:at]...), n)
		long = long[at:]
	}
	return append(all, long...)
}
