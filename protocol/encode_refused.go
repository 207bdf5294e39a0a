package protocol

import (
	"strconv"

	"workman/dispatch"
)

// refusals say what each reason means to who was refused. after is for Retry-After, in seconds; 0 is none.
var refusals = [...]struct {
	status int
	after  int
	kind   string
	text   string
}{
	dispatch.TooMany:        {503, 1, "urn:workman:problem:queue-full", "as many tasks are waiting as the server may hold (--max-tasks); try again when workers have caught up"},
	dispatch.TooManyName:    {503, 60, "urn:workman:problem:names-full", "as many different task names are in use as the server may hold (--max-names), or as one worker may register (4096); use a known name or try again later"},
	dispatch.NoMemory:       {503, 1, "urn:workman:problem:memory-full", "the waiting tasks fill the memory set aside for them (--max-bytes); try again when workers have caught up"},
	dispatch.Draining:       {503, 5, "urn:workman:problem:draining", "the server is shutting down; try again in a moment, or elsewhere"},
	dispatch.NotStored:      {503, 30, "urn:workman:problem:not-stored", "the task could not be stored, so it was not accepted; try again later"},
	dispatch.Overloaded:     {503, 1, "urn:workman:problem:overloaded", "the server has more to do than it can take in; try again in a moment"},
	dispatch.TooManyHere:    {503, 1, "urn:workman:problem:too-many-calls", "as many tasks of this connection are waiting as one may have (--max-calls); wait for answers before sending more"},
	dispatch.StoreFull:      {503, 30, "urn:workman:problem:store-full", "the disk is nearly full, or more waits to be written than may; try again when there is room"},
	dispatch.Nobody:         {503, 5, "urn:workman:problem:nobody-registered", "no worker that is connected has registered this task, and it was to be refused then (unstaffed); start a worker, or leave that out to have it wait for one"},
	dispatch.TooLate:        {504, 0, "urn:workman:problem:too-late", "the deadline or the time to live of the task came before it was done"},
	dispatch.KeyReused:      {422, 0, "urn:workman:problem:key-reused", "the idempotency key was used before, for this task with other options; use a new key for another request"},
	dispatch.NoRun:          {404, 0, "urn:workman:problem:no-such-run", "there is no such run: the id is none, or the run is finished and no longer kept"},
	dispatch.RunFinished:    {409, 0, "urn:workman:problem:run-finished", "the run is finished: there is nothing left to cancel"},
	dispatch.RunNotFailed:   {409, 0, "urn:workman:problem:run-not-failed", "only a run that is dead, cancelled, expired or retrying can be tried once more"},
	dispatch.RunNotFinished: {409, 0, "urn:workman:problem:run-not-finished", "the run is not finished, so it is kept; cancel it first"},
	dispatch.TooManyLeases:  {503, 1, "urn:workman:problem:leases-full", "as many requests for a lease wait (16,384, or 131,072 names in all), or as many are lent (an eighth of --max-tasks), as may; try again in a moment, ask for more tasks with one (count), or take them over a WebSocket (/worker)"},
	dispatch.StaleLease:     {409, 0, "urn:workman:problem:stale-lease", "this lease is over, or never was: what its task came to is somebody else's to say by now; stop working on it, and take another"},
	dispatch.NoRule:         {404, 0, "urn:workman:problem:no-such-schedule", "there is no schedule of this name; GET /schedules lists those there are"},
	dispatch.RuleThere:      {412, 0, "urn:workman:problem:schedule-exists", "there is a schedule of this name, and If-None-Match asked for none to be there; leave that out to change it"},
	dispatch.RuleChanged:    {412, 0, "urn:workman:problem:schedule-changed", "the schedule is not as If-Match says any more, or not there; get it, look at what has changed, and try again with its ETag"},
	dispatch.TooLarge:       {413, 0, "urn:workman:problem:run-too-large", "the options and terms are more than can be stored of one run; make the options smaller"},
	dispatch.WorkersLost:    {502, 0, "urn:workman:problem:workers-lost", "every worker that took this task was lost with it, so it was given up; look at what the workers died of before trying again"},
}

// encodeRefused tells who asked that it was refused, and why.
func encodeRefused(s *Session, e *dispatch.Effect) {
	if encodeMember(s, e) {
		return
	}
	r := &refusals[e.Reason]
	if s.Tag&tagEndpoint == tagWorker { // a name that it registers
		s.tellWrong(&refusal{status: r.status, typ: r.kind, detail: quoteCapped(e.Name) + " is not registered: " + r.text})
		return
	}
	if s.Tag&tagEndpoint != 0 {
		own, isNew := cutMark(e.Nonce)
		if isNew {
			sendProblem(s, own, r.status, r.kind, r.text, nil)
			return
		}
		body := append(make([]byte, 0, len(r.text)+32), `{"error":`...)
		answer(s, own, append(AppendQuoted(body, []byte("Refused: "+r.text)), '}'))
		return
	}
	extra := ""
	if r.after > 0 {
		extra = "Retry-After: " + strconv.Itoa(r.after) + "\r\n"
	}
	s.Problem(e.Seq, Answer{Status: r.status, Extra: extra}, r.kind, r.text)
}
