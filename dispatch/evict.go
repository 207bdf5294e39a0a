package dispatch

// When memory is full, lanes that have workers must not wait for those that have none: these are left on the disk only.

// evictLook is how many names are looked at in one go.
const evictLook = 1024

// makeRoom leaves on the disk what waits in memory for workers that there are not, up to a window of it.
func (d *Dispatcher) makeRoom(now Now, out *Batch) {
	before := d.held()
	for range min(evictLook, len(d.names.all)) {
		if d.evicted++; d.evicted >= uint32(len(d.names.all)) {
			d.evicted = 1
		}
		if int(d.evicted) >= len(d.names.all) {
			return
		}
		n := d.names.all[d.evicted]
		if n == nil || n.workers > 0 {
			continue
		}
		for rank := range uint8(ranks) {
			if rank == usualRank || n.queue.others != nil {
				d.evict(now, d.evicted, n.queue.lane(rank), out)
			}
		}
		if before-d.held() >= d.cfg.Window {
			return
		}
	}
}

// evict leaves the runs of a lane on the disk only. It does not if some are in the heap, which may be younger than others
// that would go, or if some are on their way here.
func (d *Dispatcher) evict(now Now, num uint32, l *lane, out *Batch) {
	if l.gap != nil {
		if l.gap.loading {
			return
		}
		d.dropTail(now, l.gap, out)
	}
	if l.runs == 0 || l.returned != 0 {
		return
	}
	after := uint64(0)
	for slot := l.fresh.head; slot != 0; {
		t := d.tasks.at(slot)
		next := t.next
		if d.isRun(t) {
			if after == 0 {
				after = t.stamp() - 1
				d.openGap(num, l, after)
			}
			d.moveToQueue(t, d.promises.at(t.promise), out)
			d.leave(now, l.gap, d.unline(slot, t), out)
			l.gap.ready = d.durable.batches
		}
		slot = next
	}
}

// openGap makes sure that a lane has a gap, and that it begins behind a stamp at the latest.
func (d *Dispatcher) openGap(num uint32, l *lane, after uint64) {
	if l.gap == nil {
		l.gap = &gap{after: after}
		d.names.all[num].refs++
	}
	l.gap.after = min(l.gap.after, after)
}

// leave leaves a run that is in memory, and in no list any more, on the disk only, in a gap.
func (d *Dispatcher) leave(now Now, g *gap, slot uint32, out *Batch) {
	t := d.tasks.at(slot)
	p := d.promises.at(t.promise)
	g.stored++
	d.stats.Stored++
	g.last = d.durable.batches
	d.doomed(now, p.id, p.pending(), out)
	d.settle(slot, t)
}
