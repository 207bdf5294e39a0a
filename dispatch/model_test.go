package dispatch_test

import (
	"cmp"
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

	peers  map[dispatch.Conn]*peer // who is connected
	lines  map[string]*line        // what is known of each name
	leases map[dispatch.Token]*run // what workers have
	listed []string                // names with workers, by first registration

	owed []answer // must leave in this step

	fakes    int                     // peers without a connection so far: sessions that lost theirs, and leases
	names    map[dispatch.Token]bool // of sessions, ever given out
	greeting *peer                   // who said hello in this step
	resumed  bool                    // its session goes on
	finds    []dispatch.Token        // with this in hand
	pouring  *peer                   // the lease of which another task must follow
	freed    []*run                  // what came back in this step because time was over: one after the other

	draining, stopped bool
	count             dispatch.Stats // of it only what grows
	bytes             int64          // Stats.Bytes after the step before
	beyond            int64          // bytes over the bound that there may be: tickets are shown in any case
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
	place      uint64
	name, body string
	losses     int
	worker     dispatch.Conn // zero: queued
	turn       int           // the how manyth hand-out it is
	until      int64         // lent: when that is over, on the clock that nobody sets; 0: it is not
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
	spoke   bool // did what surely makes it one
	hello   bool
	session dispatch.Token
	most    map[string]int // of a name at once
	until   int64          // a session that lost its connection: when its grace is over. A lease that waits: when it does no more
	lost    bool
	due     bool // a lease that has waited long enough
	lease   *borrows
}

// borrows is what makes a peer a lease.
type borrows struct {
	caller
	lasts   int64
	secret  uint64
	waiting bool
	open    bool // not answered, or not wholly
}

// line is a name: who queues for it, and what else keeps it alive.
type line struct {
	queue           []*run // by place
	workers, leased int
}

func newModel(cfg dispatch.Config, now dispatch.Now) *model {
	return &model{
		cfg: cfg, now: now,
		peers:  map[dispatch.Conn]*peer{},
		lines:  map[string]*line{},
		leases: map[dispatch.Token]*run{},
		names:  map[dispatch.Token]bool{},
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
		if len(l.queue)+l.workers+l.leased == 0 {
			delete(m.lines, name)
		}
	}
}

// usualRank is that of a call that does not say how urgent it is: 9 less its priority.
const usualRank = 4

// enqueue puts a new run at the end of those in its line that are as urgent.
func (m *model) enqueue(r *run, rank int) {
	m.place++
	r.place = uint64(rank)<<32 | m.place
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

// lease gives a run to a worker.
func (m *model) lease(r *run, to dispatch.Conn, token dispatch.Token) {
	l := m.lines[r.name]
	l.queue = slices.DeleteFunc(l.queue, func(o *run) bool { return o == r })
	l.leased++
	m.leases[token] = r
	p := m.peers[to]
	r.worker, r.turn, r.until = to, int(m.count.HandedOut), 0
	if p.lease != nil {
		r.until = after(m.now.Mono, p.lease.lasts)
	}
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

// inHand lists the tokens of what a worker has, in the order in which it was handed them.
func (m *model) inHand(c dispatch.Conn) []dispatch.Token {
	tokens := m.leasedTo(c)
	slices.SortFunc(tokens, func(a, b dispatch.Token) int {
		return cmp.Compare(m.leases[a].turn, m.leases[b].turn)
	})
	return tokens
}

// leasedTo lists the tokens of what a worker has, oldest first.
func (m *model) leasedTo(c dispatch.Conn) (tokens []dispatch.Token) {
	for t, r := range m.leases {
		if r.worker == c {
			tokens = append(tokens, t)
		}
	}
	slices.SortFunc(tokens, func(a, b dispatch.Token) int {
		return cmp.Compare(m.leases[a].place, m.leases[b].place)
	})
	return tokens
}

// register notes that a worker can do something, unless that is too much.
func (m *model) register(p *peer, name string, most int) (ok bool) {
	switch {
	case slices.Contains(p.names, name):
		p.most[name] = most
		return true
	case len(p.names) >= m.cfg.WorkerNames, m.lines[name] == nil && len(m.lines) >= m.cfg.MaxNames:
		return false
	}
	p.names = append(p.names, name)
	if p.most == nil {
		p.most = map[string]int{}
	}
	p.most[name] = most
	l := m.line(name)
	if l.workers++; l.workers == 1 {
		m.listed = append(m.listed, name)
	}
	return true
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

// isFull tells whether a worker has as many of a name as it takes at once.
func (m *model) isFull(p *peer, name string) bool {
	most, n := p.most[name], 0
	if most == 0 {
		return false
	}
	for _, r := range m.leases {
		if r.name == name && m.peers[r.worker] == p {
			n++
		}
	}
	return n >= most
}

// oldest is the run that a worker must be handed next, or nil.
func (m *model) oldest(p *peer) (first *run) {
	for _, name := range p.names {
		if m.isFull(p, name) {
			continue
		}
		if q := m.lines[name].queue; len(q) > 0 && (first == nil || q[0].place < first.place) {
			first = q[0]
		}
	}
	return first
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
	return n
}

// empty says that nothing waits for anything.
func (m *model) empty() bool {
	return m.queued()+len(m.leases) == 0
}
