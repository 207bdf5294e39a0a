package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"workman/dispatch"
)

// Workers that said Hello, against the whole server.

// lose ends a connection as a network does that drops it.
func (s *socket) lose() { _ = s.conn.Close() }

// call runs a task and returns its answer, when it comes.
func (a asker) call(status int, path, body string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		got, err := a.try("POST", path, body)
		if err != nil || got.status != status {
			answer <- fmt.Sprint(got.status, " ", got.body, err)
			return
		}
		answer <- got.body
	}()
	return answer
}

// TestResume: a worker whose connection is lost comes back in time, and finishes what it had in hand.
func TestResume(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	one := hand{s.socket(t, "/worker")}
	session := one.hello("").Session
	one.say(`{"action":"RegisterTask","name":"work"}`)
	answer, run := a.call(200, "/task/work", "1"), a.submit("work", "2")
	call, other := one.take(), one.take()
	if call.Run != "" {
		call, other = other, call
	}
	one.lose()
	idle := newHand(t, s.addr(), "work")
	idle.say(`{"action":"GetTask"}`)
	two := hand{s.socket(t, "/worker")}
	got := two.hello(session)
	slices.Sort(got.Resumed)
	want := []string{call.Nonce, other.Nonce}
	if slices.Sort(want); got.Session != session || !slices.Equal(got.Resumed, want) {
		t.Fatalf("resumed: %+v, want session %s with %q", got, session, want)
	}
	two.done(call, `"first"`)
	if body := <-answer; body != `"first"` {
		t.Errorf("the caller got %s", body)
	}
	two.done(other, `"second"`)
	if d := a.ended(run); d.State != "succeeded" || string(d.Result) != `"second"` || d.Lost != 0 || len(d.Attempts) != 0 {
		t.Errorf("the run: %+v", d)
	}
	// Its names are still registered, what it asked for is not.
	a.call(200, "/task/work", "3")
	if k := idle.next(); string(k.Options) != "3" {
		t.Errorf("who had asked for a task got %+v", k)
	}
	a.call(200, "/task/work", "4")
	if k := two.take(); string(k.Options) != "4" {
		t.Errorf("who asked anew got %+v", k)
	}
}

// TestResumeTooLate: after the grace the tasks are another worker's, and what the first one says of them is late.
func TestResumeTooLate(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	one := hand{s.socket(t, "/worker")}
	first := one.hello("")
	one.say(`{"action":"RegisterTask","name":"work"}`)
	run := a.submit("work", "1")
	k := one.take()
	one.lose()
	lost := time.Now()
	two := newHand(t, s.addr(), "work")
	again := two.take()
	grace := time.Duration(first.Grace * float64(time.Second))
	if took := time.Since(lost); took < grace-100*time.Millisecond || again.Run != run {
		t.Errorf("after %v of %v another worker has %+v", took, grace, again)
	}
	back := hand{s.socket(t, "/worker")}
	if got := back.hello(first.Session); got.Session == first.Session || got.Resumed != nil {
		t.Errorf("back after that: %+v", got)
	}
	back.done(k, `"late"`)
	back.told("Late", k)
	two.done(again, `"in time"`)
	if d := a.ended(run); string(d.Result) != `"in time"` || d.Lost != 1 {
		t.Errorf("the run: %+v", d)
	}
}

// TestResumeFromOpenConnection: the server need not have noticed that the old connection is lost.
func TestResumeFromOpenConnection(t *testing.T) {
	s := serve(t, func(o *options) { o.Loops = 2 }) // so that the two may be on different ones
	a := askerOf(t, s.addr())
	old := hand{s.socket(t, "/worker")}
	session := old.hello("").Session
	old.say(`{"action":"RegisterTask","name":"work"}`)
	answer := a.call(200, "/task/work", "1")
	k := old.take()
	two := hand{s.socket(t, "/worker")}
	if got := two.hello(session); !slices.Equal(got.Resumed, []string{k.Nonce}) {
		t.Fatalf("resumed: %+v", got)
	}
	if got := old.hear(); got != "close 1008" {
		t.Errorf("the old connection: %s", got)
	}
	two.done(k, "2")
	if got := <-answer; got != "2" {
		t.Errorf("the caller got %s", got)
	}
}

// victim has the test binary be a worker of old that takes a task from this address and keeps it.
const victim = "WORKMAN_TEST_VICTIM"

func beVictim(addr string) {
	conn, _, _, err := ws.Dial(context.Background(), "ws://"+addr+"/worker")
	for _, m := range []string{`{"action":"RegisterTask","name":"work"}`, `{"action":"GetTask"}`} {
		if err == nil {
			err = wsutil.WriteClientText(conn, []byte(m))
		}
	}
	for err == nil {
		var task []byte
		if task, err = wsutil.ReadServerText(conn); err == nil {
			fmt.Println(string(task))
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// startVictim returns when it has a task.
func startVictim(t *testing.T, addr string) *os.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), victim+"="+addr), t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, `"name":"work"`) {
		t.Fatalf("the worker that is to be killed says %q: %v", line, err)
	}
	return cmd.Process
}

// TestWorkerKilled: what a process of old has in hand when it is killed with -9 is with another worker at once.
func TestWorkerKilled(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	answer := a.call(200, "/task/work", "1")
	process := startVictim(t, s.addr())
	heir := s.socket(t, "/worker")
	heir.say(`{"action":"RegisterTask","name":"work"}`)
	heir.say(`{"action":"GetTask"}`)
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	task := heir.hear()
	took := time.Since(killed)
	if t.Logf("taken over after %v", took); took > time.Second {
		t.Errorf("the heir got it after %v", took)
	}
	heir.say(`{"action":"SendResult","nonce":"` + nonce.FindStringSubmatch(task)[1] + `","result":2}`)
	if got := <-answer; got != "2" {
		t.Errorf("the caller got %s", got)
	}
}

// TestExtend: an attempt that is extended outlives its timeout.
func TestExtend(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "work")
	run := a.submit("work?timeout=500ms&attempts=1", "1")
	k := w.take()
	w.say(`{"action":"Extend","nonce":"` + k.Nonce + `","for":"1m"}`)
	end, err := time.Parse(time.RFC3339, k.Deadline)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "its timeout to be over", func() bool { return time.Since(end) > 200*time.Millisecond })
	w.done(k, "1")
	if d := a.ended(run); d.State != "succeeded" {
		t.Errorf("the run: %+v", d)
	}
}

// TestProgress is seen while the run runs, and only then.
func TestProgress(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "work")
	run := a.submit("work", "1")
	k := w.take()
	if d := a.look(run); d.Progress != nil {
		t.Errorf("before it says so: %+v", d.Progress)
	}
	w.say(`{"action":"Progress","nonce":"` + k.Nonce + `","value":[1, 2],"note":"a \"note\""}`)
	waitFor(t, "the progress to show", func() bool { return a.look(run).Progress != nil })
	if p := a.look(run).Progress; string(p.Value) != "[1, 2]" || p.Note != `a "note"` || time.Since(p.At) > time.Minute || time.Until(p.At) > time.Second {
		t.Errorf("%+v", p)
	}
	w.say(`{"action":"Progress","nonce":"` + k.Nonce + `","value":` + strings.Repeat("1", 1024) + `}`)
	if told := w.next(); told.Event != "Error" {
		t.Errorf("of too long a progress it is told %+v", told)
	}
	w.fail(k, `"error":"no","after":"1h"`)
	a.is(run, "retrying")
	if d := a.look(run); d.Progress != nil {
		t.Errorf("after the attempt: %+v", d.Progress)
	}
}

// TestHandBack: what a worker gives back is with another at once, and no attempt of it is spent.
func TestHandBack(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "work")
	runs := []string{a.submit("work?attempts=1", "1"), a.submit("work?attempts=1", "2"), a.submit("work?attempts=1", "3")}
	w.say(`{"action":"GetTask","count":3}`)
	one := w.next()
	w.next()
	w.next()
	w.say(`{"action":"Drain","nonce":"` + one.Nonce + `"}`)
	other := newHand(t, s.addr(), "work")
	if again := other.take(); again.Run != one.Run || again.Attempt != 1 {
		t.Errorf("the one that was given back: %+v, want %+v", again, one)
	} else {
		other.done(again, "1")
	}
	w.say(`{"action":"GetTask","count":5}`)
	w.say(`{"action":"Drain","return":true}`)
	for range 2 {
		if again := other.take(); again.Attempt != 1 {
			t.Errorf("given back: %+v", again)
		} else {
			other.done(again, "1")
		}
	}
	for _, run := range runs {
		if d := a.ended(run); d.State != "succeeded" || d.Lost != 0 || len(d.Attempts) != 0 {
			t.Errorf("the run: %+v", d)
		}
	}
	// It is not ready any more, and is again when it says so.
	answer := a.call(200, "/task/work", "4")
	w.done(w.take(), "5")
	if got := <-answer; got != "5" {
		t.Errorf("the caller got %s", got)
	}
}

// TestCredits: as many at once as it asks for, a result that asks for the next, and of one name as many as it wants at once.
func TestCredits(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "small")
	w.say(`{"action":"RegisterTask","name":"large","concurrency":2}`)
	q := s.socket(t, "/websocket")
	for i := range 3 {
		q.say(fmt.Sprintf(`{"action":"RunTask","name":"large","options":%d,"nonce":%d}`, i, i))
	}
	w.say(`{"action":"GetTask","count":4}`)
	one, two := w.next(), w.next()
	for i := range 2 {
		a.call(200, "/task/small", fmt.Sprint(10+i))
	}
	three, four := w.next(), w.next()
	if one.Name+two.Name+three.Name+four.Name != "largelargesmallsmall" {
		t.Fatalf("it has %+v, %+v, %+v, %+v", one, two, three, four)
	}
	w.say(`{"action":"SendResult","nonce":"` + two.Nonce + `","result":2,"credit":1}`)
	if got := q.hear(); got != `{"nonce":1,"result":2}` {
		t.Errorf("the producer got %s", got)
	}
	if k := w.next(); k.Name != "large" || string(k.Options) != "2" {
		t.Errorf("for the credit it got %+v", k)
	}
}

// TestTraceparent is handed on with runs and with calls.
func TestTraceparent(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "work")
	a.submit("work", "1", "Traceparent: "+trace)
	if k := w.take(); k.Traceparent != trace || k.Run == "" {
		t.Errorf("of a run: %+v", k)
	}
	go func() { _, _ = a.try("POST", "/task/work", "2", "Traceparent: "+trace) }()
	if k := w.take(); k.Traceparent != trace || k.Run != "" {
		t.Errorf("of a call: %+v", k)
	}
}

// TestDrainTellsWorkers: on SIGTERM workers that said Hello are told, what they have in hand is waited for, and one that
// comes back is told again.
func TestDrainTellsWorkers(t *testing.T) {
	p := launch(t)
	a, w := askerOf(t, p.addr), newHand(t, p.addr, "work")
	answer := a.call(200, "/task/work", "1")
	k := w.take()
	p.signal()
	if told := w.next(); told.Event != "Drain" {
		t.Errorf("the worker is told %+v", told)
	}
	w.done(k, "2")
	if got := <-answer; got != "2" {
		t.Errorf("the caller got %s", got)
	}
	if got := w.hear(); got != "close 1001" {
		t.Errorf("and then %s", got)
	}
	p.exit(0)
}

// TestHalfOpenSession: a session whose machine is out of reach is found within the time that a peer may be, and its tasks
// go to others after the grace. One that comes back from elsewhere in between goes on, though the server still takes the
// old connection for open.
func TestHalfOpenSession(t *testing.T) {
	n := lay(t)
	const dead = time.Second
	s := serve(t, func(o *options) { o.Host, o.DeadAfter, o.Drain = n.here, dead, 100*time.Millisecond })
	a := askerOf(t, s.addr())
	var lost, moving hand
	n.from(func() { lost, moving = hand{s.socket(t, "/worker")}, hand{s.socket(t, "/worker")} })
	lost.hello("")
	session := moving.hello("").Session
	var tasks []ticket
	for i, w := range []hand{lost, moving} {
		w.say(`{"action":"RegisterTask","name":"work"}`)
		a.submit("work", fmt.Sprint(i))
		tasks = append(tasks, w.take())
	}
	n.pull()
	began := time.Now()
	back := hand{s.socket(t, "/worker")}
	if got := back.hello(session); !slices.Equal(got.Resumed, []string{tasks[1].Nonce}) {
		t.Errorf("back from elsewhere: %+v", got)
	}
	heir := newHand(t, s.addr(), "work")
	again := heir.take()
	took, most := time.Since(began), dead+10*time.Second+time.Duration(dispatch.DefaultConfig().Grace)*time.Millisecond
	if t.Logf("taken over after %v", took); again.Run != tasks[0].Run || took > most {
		t.Errorf("after %v, of %v at most, the heir has %+v", took, most, again)
	}
	back.done(tasks[1], "1")
	if d := a.ended(tasks[1].Run); d.Lost != 0 || d.State != "succeeded" {
		t.Errorf("the run of the one that moved: %+v", d)
	}
}
