package main

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// newTestOrder makes a task of l and the answer to it.
func newTestOrder(l *load) (order, []byte) {
	o := l.newOrder(rand.New(rand.NewPCG(1, 1)), "name", "sum", 0)
	return o, resultOf(o.id, "sum", 0, []byte(o.options))
}

func TestSoakBookJudgesAnswers(t *testing.T) {
	l := newLoad("", 1)
	b, mine, other := l.book, &client{name: "mine"}, &client{name: "other"}
	one := func(then func(o order, right []byte)) {
		o, right := newTestOrder(l)
		b.send(o, mine)
		then(o, right)
	}
	for name, test := range map[string]struct {
		want faultKind
		do   func(o order, right []byte)
	}{
		"right":          {"", func(o order, right []byte) { b.answer(mine, o.id, right) }},
		"a flipped byte": {faultWrong, func(o order, right []byte) { right[9]++; b.answer(mine, o.id, right) }},
		"a byte less":    {faultWrong, func(o order, right []byte) { b.answer(mine, o.id, right[1:]) }},
		"twice":          {faultDouble, func(o order, right []byte) { b.answer(mine, o.id, right); b.answer(mine, o.id, right) }},
		"to another":     {faultStray, func(o order, right []byte) { b.answer(other, o.id, right) }},
		"to no task":     {faultStray, func(_ order, right []byte) { b.answer(mine, 1<<60, right) }},
		"refused":        {"", func(o order, _ []byte) { b.refuse(mine, o.id, false, nil) }},
		"refused, then answered": {faultDouble, func(o order, right []byte) {
			b.refuse(mine, o.id, false, nil)
			b.answer(mine, o.id, right)
		}},
		"two hands": {faultTwoHands, func(o order, _ []byte) { b.take(o.id, mine); b.take(o.id, other) }},
		"one after another": {"", func(o order, right []byte) {
			dead := &client{}
			b.take(o.id, dead)
			dead.leaving.Store(true)
			b.take(o.id, other)
			b.give(o.id)
			b.answer(mine, o.id, right)
		}},
		"never": {faultLost, func(order, []byte) { b.check(time.Now().Add(overdue), overdue) }},
	} {
		clear(b.faults)
		clear(b.open)
		one(test.do)
		if n := b.faults[test.want]; test.want != "" && n != 1 || len(b.faults) > 1 || test.want == "" && len(b.faults) > 0 {
			t.Errorf("%s: %v", name, b.faults)
		}
	}
}

func TestSoakBookLetsAtMostThreeWorkersDieWithATask(t *testing.T) {
	l := newLoad("", 1)
	o, _ := newTestOrder(l)
	l.book.send(o, &client{})
	for i := range maxLosses + 1 {
		if got := l.book.lose(o.id); got != (i < maxLosses) {
			t.Errorf("death %d is allowed: %v", i+1, got)
		}
	}
}

func TestSoakBookJudgesSchedules(t *testing.T) {
	for name, test := range map[string]struct {
		want faultKind
		do   func(b *book)
	}{
		"on time":                 {"", func(b *book) { time.Sleep(time.Second); b.fire(1) }},
		"too early":               {faultSchedule, func(b *book) { b.fire(1) }},
		"twice":                   {faultSchedule, func(b *book) { time.Sleep(time.Second); b.fire(1); b.fire(1) }},
		"taken back":              {"", func(b *book) { b.unschedule(1, true) }},
		"taken back, and ran":     {faultSchedule, func(b *book) { b.unschedule(1, true); time.Sleep(time.Second); b.fire(1) }},
		"ran, and was taken back": {faultSchedule, func(b *book) { time.Sleep(time.Second); b.fire(1); b.unschedule(1, true) }},
		"too late to take back":   {"", func(b *book) { time.Sleep(time.Second); b.unschedule(1, false); b.fire(1) }},
		"never ran":               {faultLost, func(*book) {}},
		"is none":                 {faultSchedule, func(b *book) { b.fire(2); b.unschedule(1, true) }},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBook()
			b.schedule(1, time.Now().Add(time.Second))
			test.do(b)
			time.Sleep(2 * overdue)
			b.check(time.Now(), overdue)
			if n := b.faults[test.want]; test.want != "" && n != 1 || test.want == "" && len(b.faults) > 0 {
				t.Errorf("%s: %v %q", name, b.faults, b.examples)
			}
			if len(b.schedules) > 0 {
				t.Errorf("%s: the book never forgets %v", name, b.schedules)
			}
		})
	}
}

func TestSoakTasksArriveAndReturn(t *testing.T) {
	l := newLoad("", 1)
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		for _, do := range []string{"sum", "echo", "grow"} {
			o := l.newOrder(r, "passing/1 é", do, []int{0, 7, 100, 70_000}[r.IntN(4)])
			j, err := parseJob([]byte(`{"name":"` + o.name + `","options":` + o.options + `,"nonce":"00ff"}`))
			if err != nil || j.name != o.name || j.nonce != "00ff" || j.id != o.id {
				t.Fatalf("%v: %+v from %+v", err, j, o)
			}
			_, sent, _ := strings.Cut(j.reply(), `,"result":`)
			id, got, ok := parseAnswer([]byte(`{"nonce":` + strings.Split(o.message(), `"nonce":`)[1][:strings.IndexByte(strings.Split(o.message(), `"nonce":`)[1], ',')] + `,"result":` + sent))
			l.book.send(o, nil)
			if l.book.answer(nil, id, got); !ok || len(l.book.faults) > 0 {
				t.Fatalf("%v %q", l.book.faults, l.book.examples)
			}
		}
	}
	for _, bad := range []string{``, `{}`, `{"name":"a","options":{"id":1},"nonce":"n"}`, `{"name":"a","options":1,"nonce":"n"}`, `{"name":"a","nonce":"n"}`} {
		if _, err := parseJob([]byte(bad)); err == nil {
			t.Errorf("%s is taken for a task", bad)
		}
	}
}

func TestSoakFragmentsMakeTheMessage(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	r := rand.New(rand.NewPCG(5, 6))
	p := &client{conn: here, mask: newMask(7)}
	got := make(chan []byte)
	go func() {
		b := make([]byte, 1<<10)
		for {
			n, err := there.Read(b)
			if err != nil {
				return
			}
			got <- bytes.Clone(b[:n])
		}
	}()
	for range 100 {
		const message = "a message of some length"
		if err := p.fragments(r, message); err != nil {
			t.Fatal(err)
		}
		frames := <-got
		if frames[0]&0xf != opText {
			t.Fatalf("it begins % x", frames[:2])
		}
		if whole := strings.ReplaceAll(strings.Join(unmask(t, frames), ""), "between", ""); whole != message {
			t.Fatalf("it says %q", whole)
		}
	}
	p.conn.Close()
}

func TestSoakWorkerIsNotHeldUpByAPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		p := &client{conn: here, r: bufio.NewReader(here), load: newLoad("", 1)}
		go there.Write([]byte("\x8a\x00" + string(text(`{"name":"n","options":{"id":1,"do":"sum","size":0,"pad":0},"nonce":"x"}`)) + "\x8a\x00"))
		began, jobs := time.Now(), 0
		err := p.during(time.Second, func(job) error { jobs++; return nil })
		if took := time.Since(began); err != nil || jobs != 1 || took != time.Second {
			t.Errorf("it took %v and %d jobs: %v", took, jobs, err)
		}
		there.Close()
		here.Close()
		p.load.end()
	})
}
