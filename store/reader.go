package store

import (
	"fmt"
	"io"
)

// newSegmentReader reads what is behind the opening, which has been read.
func newSegmentReader(name string, file io.ReaderAt, size int, number uint64) *segmentReader {
	return &segmentReader{name: name, file: file, size: size, number: number, at: page, frames: 1, starts: []int{0}}
}

// segmentReader reads the frames of a segment, one after the other, up to its end.
type segmentReader struct {
	name   string
	file   io.ReaderAt
	size   int
	number uint64 // the segment's, from its opening
	at     int    // where the next frame begins
	frames uint64 // read so far, which is the next one's number
	last   head   // of the frame read last
	starts []int  // where each of them begins
	buf    []byte
}

// next reads one frame, and appends its payload to dst. At the end of what was written, which need not be a seal, it
// returns io.EOF. ErrDamaged means that something was written here and is not what it was.
func (r *segmentReader) next(dst []byte) (h head, payload []byte, err error) {
	if r.at == r.size {
		return h, dst, io.EOF
	}
	if err := r.read(page); err != nil {
		return h, dst, err
	}
	h, ok := parseHead(r.buf)
	ours := h.segment == r.number && h.number == r.frames
	if !ok || !ours {
		return h, dst, r.noHead(h, ok)
	}
	size := frameSize(int(h.length))
	if size > r.size-r.at || h.kind < data || h.kind > seal || uint64(h.unsynced) > h.number {
		return h, dst, r.damaged("its head makes no sense: kind %d, %d bytes, %d unsynced", h.kind, h.length, h.unsynced)
	}
	if err := r.read(size); err != nil {
		return h, dst, err
	}
	payload = takePayload(dst, r.buf, int(h.length))
	if sum := checksum(payload[len(dst):]); sum != h.sum {
		if !h.complete(r.buf[:size]) {
			return h, dst, r.end()
		}
		return h, dst, r.damaged("its checksum is %08x and should be %08x", sum, h.sum)
	}
	r.last, r.starts = h, append(r.starts, r.at)
	r.at += size
	r.frames++
	return h, payload, nil
}

// noHead judges a page where the next frame should begin and does not.
func (r *segmentReader) noHead(h head, valid bool) error {
	for _, k := range []kind{data, seal} {
		if (head{kind: k, segment: r.number, number: r.frames}).stamped(r.buf) {
			return r.damaged("it was written, but its head has changed since")
		}
	}
	if valid && h.segment >= r.number {
		return r.damaged("frame %d of segment %d is in its place", h.number, h.segment)
	}
	return r.end()
}

// end looks whether any frame of this segment begins behind what seems to be the end, and says that what is here was known
// to be durable. Frames of earlier segments, which were here before, do not count, and others that were told before they
// were durable prove nothing.
func (r *segmentReader) end() error {
	first := r.at
	for at := r.at + page; at < r.size; at += page {
		if err := r.readAt(sector, at); err != nil {
			return err
		}
		h, ok := parseHead(r.buf)
		if ok && h.segment == r.number && h.sure() > r.frames && h.stamped(r.buf) {
			return r.damaged("it cannot be read, but frame %d is there behind it, at %d", h.number, at)
		}
	}
	r.at = first
	return io.EOF
}

func (r *segmentReader) read(n int) error { return r.readAt(n, r.at) }

func (r *segmentReader) readAt(n, at int) error {
	if len(r.buf) < n {
		r.buf = pages(n)
	}
	if _, err := r.file.ReadAt(r.buf[:n], int64(at)); err != nil {
		return fmt.Errorf("store: reading %d bytes at %d of %s: %w", n, at, r.name, err)
	}
	return nil
}

func (r *segmentReader) damaged(format string, args ...any) error {
	return damaged(r.name, "segment %d, frame %d at byte %d: "+format, append([]any{r.number, r.frames, r.at}, args...)...)
}
