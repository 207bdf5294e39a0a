package main

import "fmt"

// finished are the runs that a worker has had.
type finished struct {
	name     string // in errors
	promises *promises
	ledger   *ledger
	seen     [][]uint64 // by producer, a bit for each number
}

// newFinished is for the i-th worker of a system.
func newFinished(system string, i int, p *promises) *finished {
	f := &finished{name: fmt.Sprintf("%s worker %d", system, i), promises: p}
	p.finishers = append(p.finishers, f)
	return f
}

// count implements counting.
func (f *finished) count(l *ledger) { f.ledger = l }

// seenOf are the runs that it has had of one producer.
func (f *finished) seenOf(producer int) []uint64 {
	if producer >= len(f.seen) {
		return nil
	}
	return f.seen[producer]
}

// take notes a run by its options, and returns its result and when it was
// submitted.
func (f *finished) take(options []byte) (result digits, sent int64, err error) {
	a, b, ok := parseOptions(options)
	producer, number, okA := a.run()
	sent, okB := b.time()
	if !ok || !okA || !okB || number >= f.promises.issued.Load() {
		return a, 0, fmt.Errorf("%.300q is no run with the options as they were sent", options)
	}
	if producer >= len(f.seen) {
		f.seen = append(f.seen, make([][]uint64, producer+1-len(f.seen))...)
	}
	bits := f.seen[producer]
	for int64(len(bits)) <= number/64 {
		bits = append(bits, 0)
	}
	f.seen[producer] = bits
	if bits[number/64]>>(number%64)&1 != 0 {
		f.ledger.faults.add(&f.ledger.faults.Duplicated, "%s got run %d of producer %d twice", f.name, number, producer)
	}
	bits[number/64] |= 1 << (number % 64)
	return a, sent, nil
}

// settle counts a run that is finished.
func (f *finished) settle(sent, now int64) {
	f.promises.worked.Add(1)
	f.ledger.settle(sent, now)
}

// String names the worker in errors.
func (f *finished) String() string { return f.name }
