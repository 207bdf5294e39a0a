package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// network is a second machine, as far as TCP can tell: a network namespace joined to this one by a cable that can be
// pulled.
type network struct {
	t    *testing.T
	name string
	far  string // the other end of the cable
	here string // our address on it
}

var laid int

// lay makes the network; it needs root and ip, of iproute2.
func lay(t *testing.T) *network {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		if os.Getenv("WORKMAN_REQUIRE") == "all" {
			t.Fatal("this needs root and the ip command (Debian: iproute2)")
		}
		t.Skip("this needs root and the ip command (Debian: iproute2)")
	}
	laid++ // what was laid before may be on its way out still
	n := &network{t: t, name: fmt.Sprintf("wm%dx%d", os.Getpid(), laid)}
	cable, net := n.name+"h", fmt.Sprintf("10.213.%d.", (os.Getpid()+laid)%250)
	n.far, n.here = n.name+"t", net+"1"
	n.ip("netns", "add", n.name)
	t.Cleanup(func() { n.ip("netns", "del", n.name) })
	n.ip("link", "add", cable, "type", "veth", "peer", "name", n.far, "netns", n.name)
	n.ip("addr", "add", n.here+"/30", "dev", cable)
	n.ip("link", "set", cable, "up")
	n.ip("-n", n.name, "addr", "add", net+"2/30", "dev", n.far)
	n.ip("-n", n.name, "link", "set", n.far, "up")
	return n
}

func (n *network) ip(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// pull makes everything sent over the cable vanish from now on.
func (n *network) pull() { n.ip("-n", n.name, "link", "set", n.far, "down") }

// from runs f on a thread that is on the other machine: sockets that it makes are there.
func (n *network) from(f func()) {
	n.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := os.Open("/var/run/netns/" + n.name)
		if err == nil {
			defer func() { _ = ns.Close() }()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		n.t.Fatal(err)
	}
}

// TestHalfOpen: a worker whose machine is out of reach is found, and its task goes to another. One that is only busy,
// and neither reads nor answers pings for as long, is not: its machine answers for it.
func TestHalfOpen(t *testing.T) {
	n := lay(t)
	const dead = time.Second
	s := serve(t, func(o *options) { o.Host, o.DeadAfter, o.Drain = n.here, dead, 100*time.Millisecond })
	var lost *socket
	n.from(func() { lost = s.socket(t, "/worker") })
	busy := s.socket(t, "/worker")
	for _, w := range []*socket{lost, busy} {
		w.say(`{"action":"RegisterTask","name":"work"}`)
		w.say(`{"action":"GetTask"}`)
	}
	q := s.socket(t, "/websocket")
	q.say(`{"action":"RunTask","name":"work","nonce":1}`)
	q.say(`{"action":"RunTask","name":"work","nonce":2}`)
	lost.hear()
	task := busy.hear()
	n.pull()
	began := time.Now()
	waitFor(t, "the lost worker to be found", func() bool { return s.server.Conns() == 2 })
	t.Logf("found after %v", time.Since(began))
	heir := s.socket(t, "/worker")
	heir.say(`{"action":"RegisterTask","name":"work"}`)
	heir.say(`{"action":"GetTask"}`)
	inherited := heir.hear()
	waitFor(t, "busy to have been silent for long", func() bool {
		if s.server.Conns() < 3 {
			t.Fatal("a busy worker was taken for dead")
		}
		return time.Since(began) > 5*dead
	})
	for i, w := range []*socket{busy, heir} {
		w.say(`{"action":"SendResult","nonce":"` + nonce.FindStringSubmatch([]string{task, inherited}[i])[1] + `","result":1}`)
		if got := q.hear(); !strings.HasSuffix(got, `"result":1}`) {
			t.Errorf("the producer got %s", got)
		}
	}
}
