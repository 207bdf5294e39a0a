package dispatch

// Survey is a page of what there is, for people to look at.
type Survey struct {
	Tasks   []TaskInfo
	Workers []WorkerInfo
	Running []RunningInfo
	States  []RunState // 0 for a run that is not in memory
	Next    uint32     // where the next page begins; 0: there is none
}

// TaskInfo is a task name in use.
type TaskInfo struct {
	Name                       string
	Workers                    int // connections that registered it
	Queued, Running, Scheduled int // of these, only those Scheduled that are due within a minute or so
}

// WorkerInfo is a connection that registered a name or asked for a task, a session that has lost its own, or a lease.
type WorkerInfo struct {
	Conn    Conn
	Names   []string // the first few
	More    int      // names not in Names
	Credit  int      // tasks it is ready for
	Running int      // tasks it has in hand
	Blocked bool     // it does not read what it is sent
	Lost    bool     // its connection is lost, or it is a lease that has been answered: nobody can be told anything
	Lease   bool
}

// RunningInfo is a run that a worker has.
type RunningInfo struct {
	ID    ID
	Stamp uint64 // of its place in line: no other run has the same
}

// surveyNames is how many of a worker's names a survey shows.
const surveyNames = 32

// surveyLook is how many slots a survey looks at for one page: the dispatcher does nothing else meanwhile.
const surveyLook = 4096

// surveyTasks lists the names from a number on, so many at most.
func (d *Dispatcher) surveyTasks(from uint32, limit int) (s Survey) {
	looked := 0
	for num := max(from, 1); int(num) < len(d.names.all); num++ {
		if looked++; len(s.Tasks) >= limit || looked > surveyLook {
			s.Next = num
			return s
		}
		n := d.names.all[num]
		if n == nil {
			continue
		}
		s.Tasks = append(s.Tasks, TaskInfo{
			Name: string(n.text), Workers: n.workers, Queued: n.queued(), Running: n.leased, Scheduled: n.scheduled,
		})
	}
	return s
}

// surveyWorkers lists the workers from a place on, so many at most. A place is a loop (8 bits) and a slot, plus one.
func (d *Dispatcher) surveyWorkers(from uint32, limit int) (s Survey) {
	looked := 0
	for at := max(from, 1) - 1; at>>24 < uint32(len(d.peers)); {
		ps := d.peers[at>>24]
		slot := int(at & 0xffffff)
		if slot >= len(ps) {
			if at>>24 == uint32(len(d.peers))-1 {
				return s
			}
			at = (at>>24 + 1) << 24
			continue
		}
		if looked++; len(s.Workers) >= limit || looked > surveyLook {
			s.Next = at + 1
			return s
		}
		if w := ps[slot].worker; w != nil {
			s.Workers = append(s.Workers, d.workerInfo(w))
		}
		at++
	}
	return s
}

func (d *Dispatcher) workerInfo(w *worker) WorkerInfo {
	info := WorkerInfo{Conn: w.conn, Credit: w.credit, Running: w.leased, Blocked: w.blocked}
	info.Lease = w.lease != nil
	info.Lost = w.conn.isPseudo() && !(info.Lease && w.lease.waiting)
	for _, num := range w.names[:min(len(w.names), surveyNames)] {
		info.Names = append(info.Names, string(d.names.all[num].text))
	}
	info.More = len(w.names) - len(info.Names)
	return info
}

// queued is how many tasks of a name wait for a worker, in memory or not.
func (n *name) queued() int {
	all := n.queue.len
	for rank := range uint8(ranks) {
		if rank != usualRank && n.queue.others == nil {
			continue
		}
		if g := n.queue.lane(rank).gap; g != nil {
			all += g.stored + g.tailLen
		}
	}
	return all
}

// surveyRunning lists the runs that workers have from a slot on, so many at most, in no order.
func (d *Dispatcher) surveyRunning(from uint32, limit int) (s Survey) {
	looked := 0
	for slot := max(from, 1); slot < d.tasks.made; slot++ {
		if looked++; len(s.Running) >= limit || looked > surveyLook {
			s.Next = slot
			return s
		}
		if t := d.tasks.at(slot); t.state == leased && d.isRun(t) {
			s.Running = append(s.Running, RunningInfo{ID: d.promises.at(t.promise).id, Stamp: t.stamp()})
		}
	}
	return s
}

// surveyRuns is the states of runs, whose ids follow one another.
func (d *Dispatcher) surveyRuns(ids []byte) (s Survey) {
	for ; len(ids) >= len(ID{}); ids = ids[len(ID{}):] {
		state := RunState(0)
		if slot := d.runs[ID(ids[:len(ID{})])]; slot != 0 {
			state = d.stateOf(d.tasks.at(slot))
		}
		s.States = append(s.States, state)
	}
	return s
}
