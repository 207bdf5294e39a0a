package console_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"workman/console"
	"workman/reactor"
	"workman/store"
)

// TestBackup: only on this machine, to an absolute path, one at a time; what goes wrong is said.
func TestBackup(t *testing.T) {
	s := serve(t)
	var to string
	var fails error
	began, goOn := make(chan struct{}), make(chan struct{})
	pagesOf := func(local bool) http.Handler {
		return console.New(console.Config{Tasks: s.tasks, Runs: s.tasks, Store: s.keeper.Store(), Local: local, Backup: func(dir string) error {
			if to = dir; dir == "/slow" {
				close(began)
				<-goOn
			}
			return fails
		}})
	}
	pages := pagesOf(true)
	post := func(h http.Handler, body string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/backup", strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	if status, body := post(pages, `{"dir":"/var/backups/1"}`); status != 200 || to != "/var/backups/1" || body != `{"dir":"/var/backups/1"}` {
		t.Errorf("%d %s, to %q", status, body, to)
	}
	to = ""
	for _, body := range []string{``, `{}`, `{"dir":""}`, `{"dir":"backups"}`, `{"dir":"/a/../b"}`, `{"dir":"/a/"}`, `{"dri":"/a"}`, `[`, `{"dir":"/` + strings.Repeat("a", 1<<17) + `"}`} {
		if status, answer := post(pages, body); status != 400 || to != "" {
			t.Errorf("%.40s: %d %s, to %q", body, status, answer, to)
		}
	}
	if status, body := post(pagesOf(false), `{"dir":"/a"}`); status != 403 || to != "" || !strings.Contains(body, "loopback") {
		t.Errorf("from elsewhere: %d %s", status, body)
	}
	fails = errors.New("no room on the disk")
	if status, body := post(pages, `{"dir":"/a"}`); status != 500 || !strings.Contains(body, "no room") {
		t.Errorf("one that fails: %d %s", status, body)
	}
	fails = fmt.Errorf("/a %w", store.ErrThere)
	if status, body := post(pages, `{"dir":"/a"}`); status != 409 || !strings.Contains(body, "/a is there already") {
		t.Errorf("over another: %d %s", status, body)
	}
	fails = nil
	slow := make(chan int)
	go func() {
		status, _ := post(pages, `{"dir":"/slow"}`)
		slow <- status
	}()
	<-began
	if status, body := post(pages, `{"dir":"/b"}`); status != 409 {
		t.Errorf("a second one: %d %s", status, body)
	}
	close(goOn)
	if status := <-slow; status != 200 {
		t.Errorf("a slow one: %d", status)
	}
}

// TestWithoutStore: there are no pages of runs.
func TestWithoutStore(t *testing.T) {
	tasks := new(reactor.Tasks)
	pages := console.New(console.Config{Tasks: tasks, Runs: tasks})
	for _, target := range []string{"/runs", "/scheduled", "/runs/retry", "/backup"} {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest("POST", target, nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}
