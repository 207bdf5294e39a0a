package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const getTasks = "GET /tasks HTTP/1.1\r\nHost: localhost\r\n\r\n"

// dialMany opens connections, and asks for the tasks on each.
func dialMany(t *testing.T, addr string, n int) (all []net.Conn) {
	t.Helper()
	for range n {
		c, err := net.DialTimeout("tcp", addr, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, getTasks)
		all = append(all, c)
	}
	return all
}

// answered reads the beginning of an answer: "HTTP/1.1 200", or what came instead.
func answered(c net.Conn) string {
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, len("HTTP/1.1 200"))
	n, err := io.ReadFull(c, b)
	if err != nil {
		return fmt.Sprintf("%q, %v", b[:n], err)
	}
	return string(b)
}

// TestL14FewDescriptors: with room for 80 open files the server takes what fits less a reserve, and tells others so.
func TestL14FewDescriptors(t *testing.T) {
	p := launchUnder(t, "ulimit -n 80")
	others := newPair(t, p.addr, "work")
	taken, refused := 0, 0
	var open []net.Conn
	for _, c := range dialMany(t, p.addr, 100) {
		switch got := answered(c); got {
		case "HTTP/1.1 200":
			taken++
			open = append(open, c)
		case "HTTP/1.1 503":
			refused++
		default:
			t.Fatalf("a connection got %s", got)
		}
	}
	if taken != 14 || refused != 86 {
		t.Errorf("of 100 connections %d were taken and %d refused, want 14 and 86: 16 in all", taken, refused)
	}
	others.task()
	for _, c := range open {
		_ = c.Close()
	}
	waitFor(t, "room", func() bool { return answered(dialMany(t, p.addr, 1)[0]) == "HTTP/1.1 200" })
}

// TestL14NoDescriptors: told to take more connections than there can be open files, the server meets the end of them
// while it accepts. Those who are connected are served, nothing spins, the log says so now and then, and all who waited
// are served when there is room.
func TestL14NoDescriptors(t *testing.T) {
	p := launchUnder(t, "ulimit -n 80", "WORKMAN_MAX_CONNS=1000")
	log := p.drain()
	others := newPair(t, p.addr, "work")
	all := dialMany(t, p.addr, 300)
	waitFor(t, "the log to say that connections cannot be accepted", func() bool {
		return strings.Contains(log(), "too many open files")
	})
	before, began := p.cpu(), time.Now()
	for time.Since(began) < 2*time.Second {
		others.task()
	}
	alone := p.cpu()
	waitFor(t, "three seconds of rest", func() bool { return time.Since(began) > 5*time.Second })
	idle := p.cpu() - alone
	lines := strings.Count(log(), "too many open files")
	t.Logf("at the end of descriptors: %v of the processor in 3 s of rest (%v in 2 s of work), %d lines in the log", idle, alone-before, lines)
	if idle > 300*time.Millisecond {
		t.Errorf("without descriptors the server used %v of the processor in 3 s with nothing to do", idle)
	}
	if lines > 30 {
		t.Errorf("%d lines in the log:\n%s", lines, log())
	}
	res := make(chan string, len(all))
	for _, c := range all {
		go func() { // each in turn makes room for one that waits
			got := answered(c)
			_ = c.Close()
			res <- got
		}()
	}
	served := 0
	for range all {
		if <-res == "HTTP/1.1 200" {
			served++
		}
	}
	t.Logf("of %d connections %d were served, once there was room", len(all), served)
	if served < len(all)-2*lines {
		t.Errorf("of %d connections only %d were served", len(all), served)
	}
	others.task()
	for range 100 {
		c := dialMany(t, p.addr, 1)[0]
		if got := answered(c); got != "HTTP/1.1 200" {
			t.Fatalf("with room again: %s", got)
		}
		_ = c.Close()
	}
}
