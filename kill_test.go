package main

import (
	"flag"
	"os"
	"testing"
	"time"

	"workman/prove"
)

var kills = flag.Int("kills", 100, "how often TestKill kills the server")

// TestKill kills the real server with SIGKILL under load, again and again on one folder, and accounts for every run and
// schedule that it acknowledged: `go test . -run TestKill -kills 5000 -timeout 3h`.
func TestKill(t *testing.T) {
	if testing.Short() || raceEnabled { // what is killed is no race build
		*kills = min(*kills, 10)
	}
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	r, err := prove.Run(t.Context(), prove.Config{Binary: binary, Dir: t.TempDir(), For: time.Duration(*kills) * time.Second, Kills: *kills})
	t.Log("\n" + r.Table())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Good() {
		t.Error("the server did wrong")
		keep(t, r.Dir)
	}
	if each := r.Accepted / *kills; r.Kills != *kills+1 || each < 50 || r.Keyed == 0 || r.Scheduled == 0 || r.Cancelled == 0 || r.Twice == 0 || !recurred(r) {
		t.Errorf("too little was tried: %d runs for each kill; %+v", each, r)
	}
}

// recurred tells whether schedules that recur were put to the test: some that fire and some that skip, some deleted again, and
// with each kill a time of some of them.
func recurred(r prove.Report) bool {
	return r.Rules > 10 && r.Dropped > 0 && r.Dropped < r.Rules && r.Skipped > 0 && r.Fired > 2*r.Kills
}

// keep saves the server's data and log from the end of the test.
func keep(t *testing.T, dir string) {
	kept, err := os.MkdirTemp("", "workman-kill-")
	if err == nil {
		err = os.CopyFS(kept, os.DirFS(dir))
	}
	t.Logf("its data and its log are in %s (%v)", kept, err)
}
