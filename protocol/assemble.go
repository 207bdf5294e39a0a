package protocol

import "math"

// classes are the sizes of buffers that a loop keeps for the next session that needs one, and spares is how many of
// each: 1 MiB a class. Anything larger goes back to the collector.
var (
	classes = [...]int{512, 2 << 10, 8 << 10, 32 << 10, 128 << 10}
	spares  = [...]int{2048, 512, 128, 32, 8}
)

// take returns an empty buffer for at least n bytes.
func (f *Framing) take(n int) []byte {
	for i, size := range classes {
		if n > size {
			continue
		}
		if k := len(f.spare[i]); k > 0 {
			b := f.spare[i][k-1]
			f.spare[i] = f.spare[i][:k-1]
			return b
		}
		return make([]byte, 0, size)
	}
	return make([]byte, 0, n)
}

// give takes a buffer back.
func (f *Framing) give(b []byte) {
	for i, size := range classes {
		if cap(b) == size && len(f.spare[i]) < spares[i] {
			f.spare[i] = append(f.spare[i], b[:0])
		}
	}
}

// noEnd is a length that nobody declared.
const noEnd = math.MaxInt

// keep copies p behind what the session has assembled. want is how long the whole is said to become: room is made for
// what has come, twice over (and up to the next class), so that a declared length alone costs nothing.
func (s *Session) keep(p []byte, want int) {
	if need := len(s.buf) + len(p); need > cap(s.buf) {
		old := s.buf
		s.buf = append(s.f.take(max(need, min(2*cap(old), want))), old...)
		s.f.give(old)
	}
	s.buf = append(s.buf, p...)
}

// drop lets go of what the session has assembled.
func (s *Session) drop() {
	if s.buf != nil {
		s.f.give(s.buf)
	}
	s.buf, s.mark, s.seen = nil, 0, 0
}
