package main

import (
	"context"
	"fmt"
)

// beanstalkd as a queue that keeps: a producer puts jobs, a worker reserves and
// deletes them; INSERTED and DELETED come once its log is synced (-f 0). As in
// memory, a worker asks for one job at a time.

// beanKeepers speak to a beanstalkd that syncs.
type beanKeepers struct{}

func (beanKeepers) submitter(sc scenario, addr string, i int, p *promises, l *ledger, random *source) (socket, debtor, error) {
	s, err := dial(addr, "")
	return s, newBeanSubmitter(sc, i, p, l, random), err
}

func (beanKeepers) finisher(_ scenario, addr string, i int, p *promises, _ *source) (socket, peer, error) {
	s, err := dial(addr, "")
	return s, &beanFinisher{finished: newFinished("beanstalkd", i, p)}, err
}

// beanSubmitter puts jobs.
type beanSubmitter struct{ *submits }

func newBeanSubmitter(sc scenario, id int, p *promises, l *ledger, random *source) *beanSubmitter {
	return &beanSubmitter{newSubmits("beanstalkd", sc, id, p, l, random, beanPut(optionsText))}
}

// open chooses the tube.
func (s *beanSubmitter) open(out []byte, _ int64) []byte { return append(out, "use work\r\n"...) }

// receive counts all whole acknowledgements in data and puts a job for each.
func (s *beanSubmitter) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		_, job, size, err := nextBean(data[used:], optionsLen)
		if err == nil && job != nil {
			err = fmt.Errorf("the server gave a producer the job %.200q", job)
		}
		if err != nil {
			return used, out, err
		}
		if size == 0 {
			break
		}
		inserted := data[used] == 'I' // else it says which tube is in use
		used += size
		if !inserted {
			continue
		}
		if i := s.oldest(); i >= 0 {
			s.settle(i, now)
		}
	}
	if s.ledger.issuing {
		out = s.submit(out, now)
	}
	return used, out, nil
}

// beanFinisher reserves jobs and deletes them.
type beanFinisher struct {
	*finished
	sent int64 // when the job that it deletes was put
}

// open watches the jobs and waits for one.
func (w *beanFinisher) open(out []byte, _ int64) []byte {
	return append(out, "watch work\r\nignore default\r\n"+beanReserve...)
}

// receive deletes the job that it got, or counts one that is deleted.
func (w *beanFinisher) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		id, job, size, err := nextBean(data[used:], optionsLen)
		if size == 0 || err != nil {
			return used, out, err
		}
		deleted := data[used] == 'D'
		used += size
		if deleted {
			w.settle(w.sent, now)
		}
		if job == nil {
			continue
		}
		if _, w.sent, err = w.take(job); err != nil {
			return used, out, err
		}
		out = append(appendDelete(out, id), beanReserve...)
	}
}

// verify asks how many jobs are in the tube, which is gone if there are none.
func (beanKeepers) verify(ctx context.Context, addr string, all []*promises) error {
	const gone, ready = "NOT_FOUND", "current-jobs-ready: "
	answer, err := askLine(ctx, addr, "stats-tube work\r\n", gone, ready)
	if err != nil {
		return err
	}
	if answer == gone {
		answer = ready + "0"
	}
	return compareKept(answer, ready, all)
}
