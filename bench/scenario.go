package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// scenario is a load: how many clients, and how much each keeps under way.
type scenario struct {
	Name        string  `json:"name"`
	What        string  `json:"what"`
	Kind        string  `json:"kind,omitempty"` // of stage.go; empty: a load
	Producers   int     `json:"producers"`
	Outstanding int     `json:"outstanding"`    // tasks a producer keeps unanswered, without a rate
	Rate        float64 `json:"rate,omitempty"` // tasks a second, of all producers; 0: an answer brings the next task
	Workers     int     `json:"workers"`
	Credits     int     `json:"credits"`          // tasks a worker asks for at a time
	HTTP        bool    `json:"http"`             // producers speak HTTP instead of WebSocket
	Worker      string  `json:"worker,omitempty"` // what workers speak: helloWorkers, leaseWorkers; empty: as of old
	Single      bool    `json:"single,omitempty"` // workers write each message by itself, as WebSocket libraries do
	SameCore    bool    `json:"same_core"`        // pinned on 2 cores: server and bench share one

	Payload payload `json:"payload"`         // the zero one, or over WebSocket any
	Names   int     `json:"names"`           // different task names, with a payload; 0: one
	Idle    int     `json:"idle,omitempty"`  // WebSockets beside, that do nothing
	Spin    bool    `json:"spin,omitempty"`  // the bench never sleeps: --spin
	Count   int     `json:"count,omitempty"` // what the kind is about: tasks that wait, or schedules
	Point   *point  `json:"point,omitempty"` // if it is one of a sweep

	Kept  int     `json:"kept,omitempty"`  // of the scenario durable: runs stored before the load
	Keys  int     `json:"keys,omitempty"`  // likewise, each with a key
	Keyed float64 `json:"keyed,omitempty"` // share of runs that have a key
	Bulk  bool    `json:"bulk,omitempty"`  // all that a producer may have unanswered it asks for in one message; workman alone

	Beside *scenario `json:"beside,omitempty"` // other producers at the same time; the workers are not its own
}

// What workers speak in scenarios that are about it.
const (
	helloWorkers = "hello" // over WebSocket, the result and the next credit in one message
	leaseWorkers = "lease" // over HTTP
)

// parts are the scenario's sets of producers, each with a row of its own.
func (sc scenario) parts() []scenario {
	if sc.Beside == nil {
		return []scenario{sc}
	}
	return []scenario{sc, *sc.Beside}
}

// relayed says whether the relay can play it: it knows WebSocket messages and
// one name.
func (sc scenario) relayed() bool {
	return !sc.HTTP && sc.Names <= 1 && (sc.Kind == "" || sc.Kind == idleKind)
}

// plain says whether clients of other systems can play it: a load of small
// tasks and nothing else.
func (sc scenario) plain() bool {
	return !sc.HTTP && !sc.fresh() && sc.Payload.Size == 0 && sc.Rate == 0 && sc.Idle == 0 && sc.Beside == nil && sc.Worker == ""
}

// stores says whether it is a load of runs, which are kept on the disk.
func (sc scenario) stores() bool { return sc.Kind == durableKind || sc.Kind == lifeKind }

// onDisk says whether its server keeps what it accepts on the disk.
func (sc scenario) onDisk() bool {
	return sc.stores() || sc.Kind == schedulesKind || sc.Kind == dueKind
}

// fresh says whether each round needs a server of its own, which holds nothing
// from before.
func (sc scenario) fresh() bool { return sc.Kind != "" || sc.Point != nil }

// flags are what workman needs on its command line so that it holds what the
// scenario brings.
func (sc scenario) flags() []string {
	const beside = 10_000 // for the load
	switch {
	case sc.Kind == pendingKind:
		return []string{"--memory", "--max-tasks", strconv.Itoa(sc.Count + beside)}
	case sc.onDisk():
		return []string{"--data", "data"}
	}
	return []string{"--memory"} // as the others keep nothing
}

// room is how many tasks a producer may have unanswered.
func (sc scenario) room() int {
	switch {
	case sc.Rate == 0:
		return sc.Outstanding
	case sc.HTTP:
		return openRequests
	}
	return openSlots
}

// scenarios are those that --scenario knows, in the order of the table.
var scenarios = []scenario{
	{Name: "s1", What: "20 producers × 1 outstanding, 4 workers × 1 (the latency of single tasks)",
		Producers: 20, Outstanding: 1, Workers: 4, Credits: 1, SameCore: true},
	{Name: "s2", What: "8 producers × 64 outstanding, 4 workers × 64 (throughput)",
		Producers: 8, Outstanding: 64, Workers: 4, Credits: 64},
	{Name: "http", What: "64 HTTP keep-alive producers × 1 outstanding, 4 workers × 64",
		Producers: 64, Outstanding: 1, Workers: 4, Credits: 64, HTTP: true},
	{Name: "ws64", What: "64 WebSocket producers × 1 outstanding, 4 workers × 64 (beside http)",
		Producers: 64, Outstanding: 1, Workers: 4, Credits: 64},
	{Name: "pipe", What: "64 HTTP producers × 16 outstanding, pipelined on each connection, 4 workers × 64",
		Producers: 64, Outstanding: 16, Workers: 4, Credits: 64, HTTP: true},
	{Name: "mixed", What: "s2's load, and beside it 8 modest producers that send 200 tasks a second each when these are due: is it fair?",
		Producers: 8, Outstanding: 64, Workers: 4, Credits: 64,
		Beside: &scenario{Name: "mixed: modest", What: "what these 8 see of it", Producers: 8, Rate: 1600}},
	{Name: "combined", What: "s2's load with workers that say Hello, and ask for the next task in the message that brings a result",
		Producers: 8, Outstanding: 64, Workers: 4, Credits: 64, Worker: helloWorkers},
	{Name: "combined1", What: "64 such workers that take one task at a time, each message in a write of its own, for 8 producers × 16 outstanding",
		Producers: 8, Outstanding: 16, Workers: 64, Credits: 1, Worker: helloWorkers, Single: true},
	{Name: "lease", What: "64 workers that take one task at a time by POST /lease, keep-alive, for 8 producers × 16 outstanding",
		Producers: 8, Outstanding: 16, Workers: 64, Credits: 1, Worker: leaseWorkers},
	{Name: "lease16", What: "s2's load with 16 workers that take 16 tasks at a time by POST /lease, their results pipelined",
		Producers: 8, Outstanding: 64, Workers: 16, Credits: 16, Worker: leaseWorkers},
	payloadScenario("text1k", payload{textPayload, 1 << 10}),
	payloadScenario("json1k", payload{jsonPayload, 1 << 10}),
	payloadScenario("text64k", payload{textPayload, 64 << 10}),
	payloadScenario("json64k", payload{jsonPayload, 64 << 10}),
	namesScenario("names1", 1),
	namesScenario("names10", 10),
	namesScenario("names1000", 1000),
	{Name: "idle", Kind: idleKind, Idle: 10_000,
		What: "WebSockets (--idle, or 10,000) that only answer pings, for 35 s a round: memory of a connection, CPU of the server"},
	{Name: "pending", Kind: pendingKind, Count: 1_000_000, Producers: 8, Outstanding: 64, Workers: 4, Credits: 64,
		What: "s2's load on an empty server, then while tasks (--pending) wait that no worker takes"},
	{Name: "schedules", Kind: schedulesKind, Count: 1_000_000, Producers: 8, Outstanding: 64, Workers: 4, Credits: 64,
		What: "s2's load on an empty server, then while schedules (--schedules) wait for the next century; then a kill, and all must still be there"},
	{Name: "due", Kind: dueKind, Count: 200_000, Workers: 4, Credits: 64,
		What: "schedules (--due) set over 16 connections, that come due within the measured time, at random: each must fire once, and not early"},
	{Name: "durable", Kind: durableKind, Producers: 8, Outstanding: 64,
		What: "8 producers × 64 outstanding submit runs that nobody works: each is on the disk before it is acknowledged"},
	{Name: "life", Kind: lifeKind, Workers: 8, Credits: 64,
		What:   "whole lives: runs submitted as in durable, worked and finished by 8 workers × 64 meanwhile",
		Beside: &scenario{Name: "life: submits", Kind: durableKind, What: "the acknowledgements of these runs", Producers: 8, Outstanding: 64}},
}

// payloadScenario is s2's load with a payload. The longer it is the fewer are
// under way, so that they fit the buffers of sockets and servers.
func payloadScenario(name string, p payload) scenario {
	outstanding := max(4, min(64, 256<<10/p.Size))
	credits := min(64, 2*outstanding)
	return scenario{Name: name, Payload: p, Producers: 8, Outstanding: outstanding, Workers: 4, Credits: credits,
		What: fmt.Sprintf("8 producers × %d outstanding, 4 workers × %d; options, and result, are %s of %d bytes",
			outstanding, credits, map[string]string{textPayload: "one long string", jsonPayload: "dense JSON"}[p.Kind], p.Size)}
}

// bulkScenario is durable's load with so many runs in one message.
func bulkScenario(durable scenario, n int) scenario {
	durable.Name, durable.Bulk = "bulk", true
	durable.What = fmt.Sprintf("durable's load in messages of %d runs each (RunTasks); other systems as in durable", n)
	return durable
}

// namesScenario is s2's load with tasks of so many names, each of which every
// worker has registered.
func namesScenario(name string, n int) scenario {
	sc := payloadScenario(name, payload{textPayload, minPayload})
	sc.Names = n
	sc.What = fmt.Sprintf("s2's load in tasks of %d names, in turns; options, and result, are a string of %d bytes", n, minPayload)
	if n == 1 {
		sc.What = strings.Replace(sc.What, "1 names, in turns", "one name", 1)
	}
	return sc
}

// What --scenario takes beside names, and what it is if not given.
const (
	allScenarios   = "all"
	usualScenarios = "s1,s2,http,ws64,pipe,mixed"
)

// findScenarios looks names up. Each is there at most once in the answer.
func findScenarios(names []string) (found []scenario, err error) {
	for _, sc := range scenarios {
		if slices.Contains(names, sc.Name) || slices.Contains(names, allScenarios) {
			found = append(found, sc)
		}
	}
	for _, name := range names {
		if name != allScenarios && !slices.ContainsFunc(scenarios, func(sc scenario) bool { return sc.Name == name }) {
			return nil, fmt.Errorf("--scenario %q is unknown: choose from %s", name, scenarioNames())
		}
	}
	return found, nil
}

// scenarioNames lists them all.
func scenarioNames() string {
	names := make([]string, len(scenarios))
	for i, sc := range scenarios {
		names[i] = sc.Name
	}
	return strings.Join(names, ",")
}
