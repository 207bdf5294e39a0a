package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// The acknowledgement of a run, around its nonce and its id.
const (
	runHead   = `{"nonce":"`
	runMiddle = `","run":{"id":"`
	runTail   = `","task":"work","state":"pending"}}`
	runIDLen  = 36

	runNonceAt = len(runHead)
	runMidAt   = runNonceAt + nonceLen
	runIDAt    = runMidAt + len(runMiddle)
	runTailAt  = runIDAt + runIDLen
	runLen     = runTailAt + len(runTail)
)

// runID is the id of a run: a UUID of version 7 as text.
type runID [runIDLen]byte

// valid says whether it is one.
func (id *runID) valid() bool {
	return id[8] == '-' && id[13] == '-' && id[14] == '7' && id[18] == '-' && id[23] == '-'
}

// workmanKeepers submit runs by WebSocket, and take them as any worker does.
type workmanKeepers struct{}

func (workmanKeepers) submitter(sc scenario, addr string, i int, p *promises, l *ledger, random *source) (socket, debtor, error) {
	s, err := dial(addr, "/websocket")
	if sc.Bulk {
		return s, newBulkSubmitter(sc, i, p, l, random), err
	}
	return s, newRunSubmitter(sc, i, p, l, random), err
}

func (workmanKeepers) finisher(sc scenario, addr string, i int, p *promises, random *source) (socket, peer, error) {
	s, err := dial(addr, "/worker")
	return s, &runFinisher{finished: newFinished(workman, i, p), worker: newWorker(i, sc.Credits, random)}, err
}

// workmanReady says whether the server has opened its store: until then it
// accepts connections, and /readyz is 503.
func workmanReady(ctx context.Context, addr string) error {
	status, text, err := get(ctx, "http://"+addr+"/readyz")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("GET /readyz is answered %d: %.200q", status, text)
	}
	return err
}

// runSubmitter is a producer whose RunTask are durable.
type runSubmitter struct {
	*submits
	mask mask
	ids  []runID // of the last run of each slot
}

func newRunSubmitter(sc scenario, id int, p *promises, l *ledger, random *source) *runSubmitter {
	const head = `{"action":"RunTask","name":"work","nonce":"` + nonceGap + `","durable":true,`
	const tail = `"options":` + optionsText + `}`
	s := &runSubmitter{newSubmits(workman, sc, id, p, l, random, head+tail), newMask(random.next()), make([]runID, sc.Outstanding)}
	s.request = s.request.framed(s.mask)
	s.keyed = newRequest(head + `"key":"` + p.tag + keyGap + `",` + tail).framed(s.mask)
	p.samples = append(p.samples, s.sample)
	return s
}

// open sends nothing: runs are submitted when they are due.
func (s *runSubmitter) open(out []byte, _ int64) []byte { return out }

// receive checks all whole acknowledgements in data and submits a run for each.
func (s *runSubmitter) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	used, out, err = s.mask.texts(data, out, func(text, out []byte) ([]byte, error) { return out, s.acknowledge(text, now) })
	if err == nil && s.ledger.issuing {
		out = s.submit(out, now)
	}
	return used, out, err
}

// acknowledge takes one acknowledgement.
func (s *runSubmitter) acknowledge(text []byte, now int64) error {
	if len(text) != runLen || string(text[:runNonceAt]) != runHead || string(text[runMidAt:runIDAt]) != runMiddle ||
		string(text[runTailAt:]) != runTail {
		return s.odd(text, now)
	}
	return s.keep(binary.LittleEndian.Uint64(text[runNonceAt:]), runID(text[runIDAt:]), now)
}

// keep notes the id of a run that is acknowledged.
func (s *runSubmitter) keep(nonce uint64, id runID, now int64) error {
	if !id.valid() {
		return fmt.Errorf("a run was acknowledged with the id %q, which is no UUID of version 7", string(id[:]))
	}
	if i := s.slotOf(nonce); i >= 0 {
		s.ids[i] = id
		s.settle(i, now)
	}
	return nil
}

// odd takes an acknowledgement that has not the exact bytes the bench expects:
// the same JSON in another order, or of a run that has begun, is right too.
func (s *runSubmitter) odd(text []byte, now int64) error {
	var m struct {
		Nonce string
		Run   struct{ ID, Task, State string }
	}
	err := json.Unmarshal(text, &m)
	if err != nil || len(m.Nonce) != nonceLen || len(m.Run.ID) != runIDLen || m.Run.Task != "work" {
		return fmt.Errorf("a run was answered %.300q, not acknowledged", text)
	}
	switch m.Run.State {
	case "pending", "running", "succeeded":
		return s.keep(binary.LittleEndian.Uint64([]byte(m.Nonce)), runID([]byte(m.Run.ID)), now)
	}
	return fmt.Errorf("a run was acknowledged in the state %.100q", m.Run.State)
}

// runSample is a run that was acknowledged, and its result.
type runSample struct {
	id     string
	result string
}

// sample are the last runs that were acknowledged, one a slot.
func (s *runSubmitter) sample() (all []runSample) {
	for i := range s.ids {
		if s.ids[i].valid() && s.slots[i].nonce == 0 {
			all = append(all, runSample{string(s.ids[i][:]), s.slots[i].sum.String()})
		}
	}
	return all
}

// runFinisher is a worker that gives each run its number as the result.
type runFinisher struct {
	*finished
	worker *worker
}

// open registers the task and asks for the first ones.
func (w *runFinisher) open(out []byte, now int64) []byte { return w.worker.open(out, now) }

// receive finishes all whole runs in data.
func (w *runFinisher) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	return w.worker.mask.texts(data, out, func(text, out []byte) ([]byte, error) { return w.finish(text, out, now) })
}

// finish sends the result of one run and asks for another. The wire has no
// acknowledgement of a result: it counts once it is sent.
func (w *runFinisher) finish(text, out []byte, now int64) ([]byte, error) {
	options, nonce, err := cutTask(text)
	if err != nil {
		return out, err
	}
	result, sent, err := w.take(options)
	if err != nil {
		return out, err
	}
	w.settle(sent, now)
	return w.worker.reply.append(out, w.worker.mask, nonce, result), nil
}

// cutTask takes the options and the nonce out of a task, whose members may come
// in another order than the usual one.
func cutTask(text []byte) (options, nonce []byte, err error) {
	const optionsAt = taskAAt - len(optionsHead)
	if end := len(text) - len(taskTail); end > taskNonceAt && string(text[:taskAAt]) == taskHead &&
		string(text[taskBEnd:taskNonceAt]) == taskNonce && string(text[end:]) == taskTail {
		return text[optionsAt : optionsAt+optionsLen], text[taskNonceAt:end], nil
	}
	var m struct {
		Name    string
		Options json.RawMessage
		Nonce   string
	}
	if err := json.Unmarshal(text, &m); err != nil || m.Name != "work" || m.Nonce == "" {
		return nil, nil, fmt.Errorf(`%.300q is no task "work" with a nonce`, text)
	}
	return m.Options, []byte(m.Nonce), nil
}

// maxVerified is how many runs of a load are asked for once it is over.
const maxVerified = 200

// verify asks for some of the runs of each load: those that workers have had
// must have succeeded with their results, the others must wait.
func (workmanKeepers) verify(ctx context.Context, addr string, all []*promises) error {
	for _, p := range all {
		state := "pending"
		if p.ahead > 0 {
			state = "succeeded"
		}
		var samples []runSample
		for _, some := range p.samples {
			samples = append(samples, some()...)
		}
		for i := 0; i < len(samples); i += len(samples)/maxVerified + 1 {
			if err := verifyRun(ctx, addr, samples[i], state); err != nil {
				return err
			}
		}
	}
	return nil
}

// verifyRun asks for one run.
func verifyRun(ctx context.Context, addr string, want runSample, state string) error {
	url := "http://" + addr + "/runs/" + want.id
	if state == "succeeded" {
		url += "?wait=5s" // its worker has sent the result, but the server may not have read it
	}
	status, text, err := get(ctx, url)
	if err != nil {
		return fmt.Errorf("asking for a run that was acknowledged: %w", err)
	}
	var run struct {
		ID, State string
		Result    json.RawMessage
	}
	if status == http.StatusOK {
		err = json.Unmarshal(text, &run)
	}
	if err != nil || run.ID != want.id || run.State != state || state == "succeeded" && string(run.Result) != want.result {
		return fmt.Errorf("the run %s was acknowledged and should be %s (its result is %s): the server answers %d, %.300q",
			want.id, state, want.result, status, text)
	}
	return nil
}

// maxAnswer is how much of an answer is read, in bytes: a page of a list.
const maxAnswer = 4 << 20

// get is an HTTP request of the server.
func get(ctx context.Context, url string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	q.Close = true // the bench talks to many servers, each for a short time
	response, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, body, err
}
