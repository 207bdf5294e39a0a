package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"workman/store"
)

// oneSegment is a segment with some frames, and what they hold.
func oneSegment(t testing.TB) (number uint64, contents []byte, frames [][]byte) {
	t.Helper()
	d := makeDamageable(t, 20<<10)
	fs := d.files.restore(t)
	for _, name := range d.journal() {
		n, err := store.SegmentIn(fs, dir, name)
		if err != nil {
			t.Fatal(err)
		}
		if n == d.applied+1 {
			contents = d.files[name]
			frames, err = store.ReadFrames(name, bytes.NewReader(contents), len(contents), n)
			if !errors.Is(err, io.EOF) || len(frames) < 3 {
				t.Fatalf("%d frames, %v", len(frames), err)
			}
			return n, contents, frames
		}
	}
	t.Fatal("no segment is behind the watermark")
	return 0, nil, nil
}

// FuzzSegment changes a segment in two places, with what is elsewhere in it and with any bits, and reads it: each frame
// that is found is the one that was written there.
func FuzzSegment(f *testing.F) {
	number, contents, want := oneSegment(f)
	f.Add(uint16(0), uint16(0), uint16(0), byte(0), uint16(0), byte(0))
	f.Add(uint16(4096), uint16(8192), uint16(4096), byte(0), uint16(0), byte(0)) // a frame in another's place
	f.Add(uint16(8192), uint16(0), uint16(512), byte(0), uint16(9000), byte(1))
	f.Fuzz(func(t *testing.T, to, from, length uint16, mask byte, at uint16, other byte) {
		changed := slices.Clone(contents)
		n := copy(changed[int(to)%len(contents):], contents[int(from)%len(contents):][:min(int(length), len(contents)-int(from)%len(contents))])
		for i := range n {
			changed[int(to)%len(contents)+i] ^= mask
		}
		changed[int(at)%len(contents)] ^= other
		frames, err := store.ReadFrames("a segment", bytes.NewReader(changed), len(changed), number)
		if err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, store.ErrDamaged) {
			t.Fatal(err)
		}
		if len(frames) > len(want) || !slices.EqualFunc(frames, want[:len(frames)], bytes.Equal) {
			t.Fatalf("%d frames are not those that were written", len(frames))
		}
	})
}

// FuzzOperations parses any bytes as operations. What is accepted is what a batch of the same operations would be, but
// for lengths that are written in more bytes than needed.
func FuzzOperations(f *testing.F) {
	var b store.Batch
	fill(&b, 5)
	f.Add(bytes.Clone(b.Ops()))
	f.Add(binary.AppendUvarint(binary.AppendUvarint(nil, 1<<63), 1<<63))
	f.Fuzz(func(t *testing.T, ops []byte) {
		if store.CheckOperations(ops) != nil {
			return
		}
		var b store.Batch
		size := 0
		for rest := ops; len(rest) > 0; {
			key, value, isDelete, n := store.Operation(rest)
			if len(key) == 0 || len(key) > store.MaxKey+1 || n <= 0 || n > len(rest) {
				t.Fatalf("a key of %d bytes in %d of %d", len(key), n, len(rest))
			}
			if isDelete {
				b.Delete(store.Table(key[0]), key[1:])
			} else {
				b.Put(store.Table(key[0]), key[1:], value)
			}
			size, rest = size+n, rest[n:]
		}
		if size != len(ops) || b.Len() > len(ops) {
			t.Fatalf("%d of %d bytes were read, and are %d in a batch", size, len(ops), b.Len())
		}
	})
}

// TestNewer opens folders that a newer version has written, and sees that they are refused and not touched.
func TestNewer(t *testing.T) {
	d := makeSmall(t)
	name := dir + "/store/format"
	text := string(d.files[name])
	this, next := fmt.Sprintf("format %d\n", store.Version), fmt.Sprintf("format %d\n", store.Version+1)
	if !strings.Contains(text, this) {
		t.Fatalf("the format is %q", text)
	}
	d.files[name] = []byte(strings.Replace(text, this, next, 1) + "and more that nobody knows yet\n")
	fs := d.files.restore(t)
	_, err := store.Open(dir, small(fs))
	if !errors.Is(err, store.ErrNewer) {
		t.Fatal(err)
	}
	for name, contents := range dump(t, fs, dir) {
		if !bytes.Equal(contents, d.files[name]) {
			t.Errorf("%s was changed", name)
		}
	}
}
