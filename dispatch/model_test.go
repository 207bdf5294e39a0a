package dispatch_test

import (
	"slices"

	"workman/dispatch"
)

// model is the dispatcher once more, so naive that it can be seen to be right: slices and maps, nothing clever, and no
// choices. Where the dispatcher may choose (which ready worker), the model is told what it chose, and says whether it
// was allowed to.
type model struct {
	input int // of how many that came in one go this is the latest
	cfg   dispatch.Config
	now   dispatch.Now
	place uint64 // the last place in line given out

	peers  map[dispatch.Conn]*peer   // who is connected
	lines  map[string]*line          // what is known of each name
	leases map[dispatch.Token]*run   // what workers have
	plans  []*plan                   // schedules, in the order of their acceptance
	gone   map[dispatch.Token]uint64 // schedules that ended: the record that says so
	listed []string                  // names with workers, by first registration

	owed     []answer          // must leave in this step
	parked   []answer          // wait for their record
	asked    map[uint64]answer // wait for the store to look something up
	records  []dispatch.Record // must leave in this step
	record   uint64            // the last record's number
	durable  uint64            // the last committed record's number
	load     uint64            // the last load's number
	released uint64            // the last record that an answer of this step waited for
	fired    uint64            // Stats.Fired after the step before

	draining, stopped, failed bool
	count                     dispatch.Stats // of it only what grows
	bytes                     int64          // Stats.Bytes after the step before
}

// caller is who asked, and how the answer finds the question.
type caller struct {
	to    dispatch.Conn
	seq   uint64
	nonce string
}

// run is one task on its way.
type run struct {
	caller
	waits      bool // somebody waits for the result: not so if it came of a plan
	place      uint64
	name, body string
	losses     int
	worker     dispatch.Conn // zero: queued
}

// plan is a schedule.
type plan struct {
	token      dispatch.Token
	at         int64
	name, body string
	record     uint64 // that added it, if durable
}

// peer is a connection, as a worker.
type peer struct {
	names   []string
	credits int
	blocked bool
	burst   int  // bytes handed to it since the last Block or Unblock,
	input   int  // or the last input in which it said something
	worker  bool // registered something or asked for something
	maybe   bool // did what may or may not make it a worker
}

// line is a name: who queues for it, and what else keeps it alive.
type line struct {
	queue                  []*run // by place
	workers, leased, plans int
}

func newModel(cfg dispatch.Config, now dispatch.Now) *model {
	return &model{
		cfg: cfg, now: now,
		peers:  map[dispatch.Conn]*peer{},
		lines:  map[string]*line{},
		leases: map[dispatch.Token]*run{},
		gone:   map[dispatch.Token]uint64{},
		asked:  map[uint64]answer{},
	}
}

// peer returns the connection's entry, made if need be: a connection is known by its first event.
func (m *model) peer(c dispatch.Conn) *peer {
	if m.peers[c] == nil {
		m.peers[c] = &peer{}
	}
	return m.peers[c]
}

func (m *model) line(name string) *line {
	if m.lines[name] == nil {
		m.lines[name] = &line{}
	}
	return m.lines[name]
}

// sweep forgets the names that nothing keeps alive.
func (m *model) sweep() {
	for name, l := range m.lines {
		if len(l.queue)+l.workers+l.leased+l.plans == 0 {
			delete(m.lines, name)
		}
	}
}

// enqueue puts a new run at the end of its line.
func (m *model) enqueue(r *run) {
	m.place++
	r.place = m.place
	m.insert(r)
}

// insert puts a run where its place is: the end for a new one, and where it was for one that comes back.
func (m *model) insert(r *run) {
	r.worker = 0
	l := m.line(r.name)
	i := len(l.queue)
	for i > 0 && l.queue[i-1].place > r.place {
		i--
	}
	l.queue = slices.Insert(l.queue, i, r)
}

// lease gives the head of a line to a worker.
func (m *model) lease(name string, to dispatch.Conn, token dispatch.Token) {
	l := m.lines[name]
	r := l.queue[0]
	l.queue = l.queue[1:]
	l.leased++
	r.worker = to
	m.leases[token] = r
	p := m.peers[to]
	p.credits--
	p.burst += len(r.body) + 64
	m.count.HandedOut++
}

// release takes a run back from its worker.
func (m *model) release(token dispatch.Token) *run {
	r := m.leases[token]
	delete(m.leases, token)
	m.lines[r.name].leased--
	return r
}

// leasedTo lists the tokens of what a worker has, oldest first.
func (m *model) leasedTo(c dispatch.Conn) (tokens []dispatch.Token) {
	for t, r := range m.leases {
		if r.worker == c {
			tokens = append(tokens, t)
		}
	}
	slices.SortFunc(tokens, func(a, b dispatch.Token) int {
		return int(m.leases[a].place) - int(m.leases[b].place)
	})
	return tokens
}

// register notes that a worker can do something; too much is ignored.
func (m *model) register(p *peer, name string) {
	switch {
	case slices.Contains(p.names, name):
		return
	case len(p.names) >= m.cfg.WorkerNames, m.lines[name] == nil && len(m.lines) >= m.cfg.MaxNames:
		return
	}
	p.names = append(p.names, name)
	l := m.line(name)
	if l.workers++; l.workers == 1 {
		m.listed = append(m.listed, name)
	}
}

// unregister forgets what a worker could do.
func (m *model) unregister(p *peer) {
	for _, name := range p.names {
		l := m.lines[name]
		if l.workers--; l.workers == 0 {
			m.listed = slices.DeleteFunc(m.listed, func(n string) bool { return n == name })
		}
	}
}

// ready says whether a worker may be handed something now.
func (m *model) ready(p *peer) bool {
	return p.credits > 0 && !p.blocked && !m.stopped
}

// oldest is the run that a worker must be handed next, or nil.
func (m *model) oldest(p *peer) (first *run) {
	for _, name := range p.names {
		if q := m.lines[name].queue; len(q) > 0 && (first == nil || q[0].place < first.place) {
			first = q[0]
		}
	}
	return first
}

// due lists the plans whose time has come, as they must fire: by time, then by acceptance.
func (m *model) due() (due []*plan) {
	for _, p := range m.plans {
		if p.at <= m.now.Wall {
			due = append(due, p)
		}
	}
	slices.SortStableFunc(due, func(a, b *plan) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return due
}

// next is the time of the first plan.
func (m *model) next() (at int64, ok bool) {
	for _, p := range m.plans {
		if !ok || p.at < at {
			at, ok = p.at, true
		}
	}
	return at, ok
}

func (m *model) plan(t dispatch.Token) *plan {
	for _, p := range m.plans {
		if p.token == t {
			return p
		}
	}
	return nil
}

func (m *model) addPlan(p *plan) {
	m.plans = append(m.plans, p)
	m.line(p.name).plans++
}

func (m *model) dropPlan(p *plan) {
	m.plans = slices.DeleteFunc(m.plans, func(q *plan) bool { return q == p })
	m.lines[p.name].plans--
}

func (m *model) queued() (n int) {
	for _, l := range m.lines {
		n += len(l.queue)
	}
	return n
}

// held is how many bytes must be held at the least: what is still to be sent.
func (m *model) held() (n int64) {
	for _, l := range m.lines {
		for _, r := range l.queue {
			n += int64(len(r.body) + len(r.nonce))
		}
	}
	for _, r := range m.leases {
		n += int64(len(r.body) + len(r.nonce))
	}
	for _, p := range m.plans {
		n += int64(len(p.body))
	}
	return n
}

// empty says that nothing waits for anything.
func (m *model) empty() bool {
	return m.queued()+len(m.leases)+len(m.plans)+len(m.parked)+len(m.asked) == 0
}
