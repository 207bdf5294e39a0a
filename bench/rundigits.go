package main

// A run's options are those of any task, but their digits, octal ones, tell
// which run it is (a: its producer and its number there), and when it was
// submitted (b: ns of the loops' clock). The result is a.

// spreadOctal makes eight digits of 24 bits, the lowest three first.
func spreadOctal(n uint64) uint64 {
	n = n&0xfff | n&0xfff000<<20
	n = n&0x3f0000003f | n&0xfc000000fc0<<10
	return n&0x0007000700070007 | n&0x0038003800380038<<5 | zeros
}

// gatherOctal is the way back; ok is false if they are no octal digits.
func gatherOctal(d uint64) (n uint64, ok bool) {
	n = d ^ zeros
	ok = n&^0x0707070707070707 == 0
	n = n&0x0007000700070007 | n>>5&0x0038003800380038
	n = n&0x3f0000003f | n>>10&0xfc000000fc0
	return n&0xfff | n>>20&0xfff000, ok
}

// runDigits are a of a run: a producer below maxPair, a number below 2^36.
func runDigits(producer int, number int64) digits {
	return digits{spreadOctal(uint64(producer) | uint64(number>>24)<<12), spreadOctal(uint64(number) & 0xffffff)}
}

// run is what runDigits were made of.
func (d digits) run() (producer int, number int64, ok bool) {
	head, ok := gatherOctal(d.lo)
	low, fine := gatherOctal(d.hi)
	return int(head & (maxPair - 1)), int64(head>>12<<24 | low), ok && fine
}

// timeDigits are b of a run: a time in ns, below 2^48 (three days).
func timeDigits(ns int64) digits {
	return digits{spreadOctal(uint64(ns) & 0xffffff), spreadOctal(uint64(ns) >> 24 & 0xffffff)}
}

// time is what timeDigits were made of.
func (d digits) time() (ns int64, ok bool) {
	low, ok := gatherOctal(d.lo)
	high, fine := gatherOctal(d.hi)
	return int64(high<<24 | low), ok && fine
}
