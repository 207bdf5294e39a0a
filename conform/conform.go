package conform

import (
	"context"
	"errors"
	"time"
)

// shown is how many of the last messages a failure shows.
const shown = 8

// Run checks a worker. The Report has what was found so far also if there is an error: of Config, ErrCommand, ErrServer, or
// the context's. A worker that does wrong is no error; see Report.Good.
func Run(ctx context.Context, c Config) (r Report, err error) {
	began := time.Now()
	if err := c.validate(); err != nil {
		return Report{}, err
	}
	r.Worker = c.Command
	x := &exam{cfg: c, recording: newRecording(), results: map[string]Result{}, way: Sockets}
	if x.proxy, err = newProxy(x.recording); err != nil {
		return r, err
	}
	defer func() {
		x.end()
		x.proxy.close()
	}()
	if err := x.begin(ctx); err != nil {
		return r, err
	}
	err = x.all(ctx, newProgress(c), &r)
	r.Took = time.Since(began)
	return r, err
}

// all makes all checks.
func (x *exam) all(ctx context.Context, bar *progress, r *Report) error {
	defer bar.close()
	for i := 0; i < len(checks(x.way)); i++ {
		c := checks(x.way)[i]
		bar.step(c.name)
		f := x.examine(ctx, c)
		if i == 0 {
			r.Way = x.way
			bar.of(len(checks(x.way)))
		}
		if err := errors.Join(f.err, context.Cause(ctx)); err != nil {
			return err
		}
		x.results[c.name] = f.result
		x.note(r, c, f)
	}
	for i, c := range checks(x.way) { // what was right then may have been wrong later
		wrong := x.recording.fault(c.name)
		if l := &r.Checks[i]; wrong != nil && (l.Result == OK || l.Result == Hint) {
			l.fail(wrong.what, c, x.recording.last(shown, wrong.entry, ""))
		}
	}
	return nil
}

// note adds a line to the report.
func (x *exam) note(r *Report, c check, f finding) {
	l := Line{Check: c.name, Result: f.result, Seen: f.seen}
	switch {
	case f.result != Failed:
	case f.entry > 0:
		l.fail(f.seen, c, x.recording.last(shown, f.entry, ""))
	default:
		lines := x.recording.last(shown, x.recording.mark(), c.name)
		if len(lines) == 0 { // then they came too early
			lines = x.recording.last(shown, x.recording.mark(), "")
		}
		l.fail(f.seen, c, lines)
	}
	if f.result == Failed && x.worker != nil {
		l.Printed = x.worker.said.String()
	}
	r.Checks = append(r.Checks, l)
}
