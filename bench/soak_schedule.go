package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// calendar is how a client sets schedules and takes them back.
type calendar interface {
	set(when, options string) (response []byte, err error)
	cancel(id string) (response []byte, err error)
}

// A schedule's options say which it is; it asks for nothing that is checked.
func scheduleOptions(id uint64) string {
	return fmt.Sprintf(`{"id":%d,"do":"sum","size":0,"pad":0}`, id)
}

// appoint sets one schedule: half of them run within seconds; the others are
// taken back, some far from their time, some very near to it.
func (l *load) appoint(r *rand.Rand, c calendar) error {
	var ahead time.Duration
	kind := r.IntN(8)
	switch kind {
	case 0, 1, 2:
		ahead = someTime(r, 100*time.Millisecond, 3*time.Second)
	case 3:
		ahead = -time.Hour // at once
	case 4:
		ahead = 2 * time.Millisecond // a race
	default:
		ahead = someTime(r, time.Minute, 1000*time.Hour)
	}
	id := l.book.newID()
	when := time.Now().Add(ahead).Truncate(time.Millisecond)
	l.book.schedule(id, when)
	var set struct{ ID string }
	if err := ask(&set, "setting a schedule")(c.set(when.UTC().Format("2006-01-02T15:04:05.000Z"), scheduleOptions(id))); err != nil || set.ID == "" {
		l.book.unpromise(id)
		return fmt.Errorf("a schedule was promised with the id %q: %w", set.ID, err)
	}
	if kind < 4 {
		return nil
	}
	var gone struct{ Found bool }
	if err := ask(&gone, "taking a schedule back")(c.cancel(set.ID)); err != nil {
		return err
	}
	l.book.unschedule(id, gone.Found)
	if kind > 4 && !gone.Found {
		l.book.fault(faultSchedule, "schedule %d, due in %v, was not found", id, ahead)
		l.book.unpromise(id)
	}
	if err := ask(&gone, "taking a schedule back again")(c.cancel(set.ID)); err != nil {
		return err
	}
	if gone.Found {
		l.book.fault(faultSchedule, "schedule %d was taken back twice", id)
	}
	return nil
}

// ask decodes what a calendar answers.
func ask(to any, doing string) func(response []byte, err error) error {
	return func(response []byte, err error) error {
		if err == nil {
			err = json.Unmarshal(response, to)
		}
		if err != nil {
			return fmt.Errorf("%s: %w (%.200q)", doing, err, response)
		}
		return nil
	}
}

// httpCalendar speaks HTTP.
type httpCalendar struct{ *client }

func (c httpCalendar) set(when, options string) ([]byte, error) {
	return c.call(http.MethodPost, "/schedule/"+url.PathEscape(when)+"/"+schedName, options)
}

func (c httpCalendar) cancel(id string) ([]byte, error) {
	return c.call(http.MethodDelete, "/scheduled/"+url.PathEscape(id), "")
}

func (c httpCalendar) call(method, path, body string) ([]byte, error) {
	got, err := c.exchange(c.load.request(method, path, body))
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("%s %s was answered %d", method, path, got.status)
	}
	return got.body, err
}

// wsCalendar speaks messages, one after the other.
type wsCalendar struct{ *client }

func (c wsCalendar) set(when, options string) ([]byte, error) {
	return c.call(`{"action":"ScheduleTask","when":"` + when + `","name":"` + schedName + `","options":` + options)
}

func (c wsCalendar) cancel(id string) ([]byte, error) {
	return c.call(`{"action":"UnscheduleTask","id":"` + id + `"`)
}

func (c wsCalendar) call(message string) ([]byte, error) {
	if err := c.text(message + `,"nonce":1}`); err != nil {
		return nil, err
	}
	answer, err := c.next()
	if err != nil {
		return nil, err
	}
	_, result, ok := parseAnswer(answer)
	if !ok {
		return answer, fmt.Errorf("%.300s} was answered with no answer to it", message)
	}
	return result, nil
}

// wsScheduler keeps setting schedules over a WebSocket.
func wsScheduler(l *load, r *rand.Rand, name string) error {
	p, err := l.websocket(name, "/websocket", 0)
	if err != nil {
		return err
	}
	defer p.close()
	return l.paced(r, schedulesPerSec, func() error { return l.appoint(r, wsCalendar{p}) })
}

// httpScheduler keeps setting schedules over HTTP.
func httpScheduler(l *load, r *rand.Rand, name string) error {
	p, err := l.connect(name, 0)
	if err != nil {
		return err
	}
	defer p.close()
	return l.paced(r, schedulesPerSec, func() error { return l.appoint(r, httpCalendar{p}) })
}
