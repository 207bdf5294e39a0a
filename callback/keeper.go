package callback

import "time"

// page is how many runs are read from the Source at once.
const page = 256

// keeper makes ready what is due, and reads the Source while something is left there. It belongs to one goroutine.
type keeper struct {
	reading bool
	after   [16]byte  // the last run that was read
	again   time.Time // when reading may begin anew
}

// turn does what there is to do, and says for how long there will be nothing, unless the keeper is nudged.
func (k *keeper) turn(p *Pool) time.Duration {
	now := time.Now()
	idle := time.Hour
	var room int
	var failed error
	p.with(func(q *queue) {
		if next, more := q.wake(now); more {
			idle = min(idle, next.Sub(now))
		}
		if q.missed && !k.reading {
			if now.Before(k.again) {
				idle = min(idle, k.again.Sub(now))
			} else {
				*k = keeper{reading: true, again: now.Add(p.cfg.Rescan)}
				q.missed = false
				failed, p.failed = p.failed, nil
			}
		}
		room = q.room()
	})
	if failed != nil {
		p.cfg.Log.Error("outcomes of runs could not be read; their callbacks are tried again", "error", failed)
	}
	if k.reading && room > 0 {
		k.read(p, min(room, page))
		return 0
	}
	return idle
}

// read adds a page of runs.
func (k *keeper) read(p *Pool, limit int) {
	runs, err := p.cfg.Source.Waiting(k.after, limit)
	if err != nil {
		p.cfg.Log.Error("the runs that wait for their callback could not be read; they are looked for again", "error", err, "after", p.cfg.Rescan)
	}
	k.reading = err == nil && len(runs) > 0
	p.with(func(q *queue) {
		q.missed = q.missed || err != nil
		for _, run := range runs {
			q.add(run)
			k.after = run
		}
	})
}
