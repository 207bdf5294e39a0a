package store

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Table is the first byte of every key, a letter from a to z but for w, which is the store's own: it says what the key is
// of. The user gives them their meaning. Each table has files of its own on the disk, so that what is scanned together lies
// together. Numbers in keys are best big-endian, so that they sort.
type Table byte

// watermark is the one table of the store itself: the last segment that Pebble holds. All others are its user's.
const watermark Table = 'w'

// MaxKey is how many bytes a key may have, beside its table.
const MaxKey = 4096

// Batch is operations that become durable together or not at all. The zero Batch is empty and ready. What it is given is
// copied.
//
// As bytes, which is how the journal has them, an operation is the length of the key with its table (uvarint), one more
// than the length of the value, or 0 to delete (uvarint), the table, the key and the value.
type Batch struct {
	ops   []byte
	count int   // of operations
	err   error // what was wrong with an operation; Append returns it
}

// Put sets a key's value. A later operation on the same key, in this batch or another, wins.
func (b *Batch) Put(t Table, key, value []byte) {
	b.op(t, key, uint64(len(value))+1)
	b.ops = append(b.ops, value...)
}

// Delete removes a key. Removing one that is not there is no error.
func (b *Batch) Delete(t Table, key []byte) { b.op(t, key, 0) }

func (b *Batch) op(t Table, key []byte, size uint64) {
	switch {
	case len(key) > MaxKey:
		b.err = fmt.Errorf("%w: a key of %d bytes: %d is the most", ErrTooLarge, len(key), MaxKey)
	case t < 'a' || t > 'z' || t == watermark:
		b.err = fmt.Errorf("store: %q is no table: it must be a letter from a to z, and %q is the store's own", t, watermark)
	}
	if keys := uint64(len(key)) + 1; keys|size < 0x80 { // as they nearly always are: a uvarint of one byte
		b.ops = append(b.ops, byte(keys), byte(size), byte(t))
	} else {
		b.ops = append(binary.AppendUvarint(binary.AppendUvarint(b.ops, keys), size), byte(t))
	}
	b.ops = append(b.ops, key...)
	b.count++
}

// Len is how many bytes the batch takes in the journal.
func (b *Batch) Len() int { return len(b.ops) }

// Reset empties the batch and keeps its room.
func (b *Batch) Reset() { b.ops, b.count, b.err = b.ops[:0], 0, nil }

// operation is one of a batch's, its key with the table in front. Its slices are parts of the batch's bytes.
type operation struct {
	key    []byte
	value  []byte
	delete bool
}

var errOperation = errors.New("its checksum is right, but it holds no operations that this version knows")

// parse takes the operation at the start of ops apart, and says how long it is.
func parse(ops []byte) (op operation, size int, err error) {
	keys, n := binary.Uvarint(ops)
	if n <= 0 || keys == 0 || keys > MaxKey+1 {
		return op, 0, errOperation
	}
	values, m := binary.Uvarint(ops[n:])
	rest := ops[n+max(m, 0):]
	if m <= 0 || uint64(len(rest)) < keys || values > 0 && uint64(len(rest))-keys < values-1 {
		return op, 0, errOperation
	}
	op.key = rest[:keys:keys]
	if values == 0 {
		op.delete = true
		return op, n + m + int(keys), nil
	}
	op.value = rest[keys : keys+values-1 : keys+values-1]
	return op, n + m + int(keys+values-1), nil
}

// checkOperations sees that all of ops can be parsed.
func checkOperations(ops []byte) error {
	for len(ops) > 0 {
		_, n, err := parse(ops)
		if err != nil {
			return err
		}
		ops = ops[n:]
	}
	return nil
}
