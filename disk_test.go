package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of so many bytes in memory, until the test ends.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		require(t, "mounting a small disk, which only root may: "+err.Error())
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// filled is a file that takes all of a disk's room but so many bytes.
func filled(t *testing.T, name string, but int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 64<<10)
	for {
		var s syscall.Statfs_t
		if err := syscall.Statfs(filepath.Dir(name), &s); err != nil {
			t.Fatal(err)
		}
		if int64(s.Bavail)*s.Bsize <= but+int64(len(block)) {
			return
		}
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskNearlyFull: runs are refused before the disk is full, and what is in hand is finished and told; reads go on; with
// room again the server takes work without a restart; after kill -9 all that was acknowledged is there.
func TestDiskNearlyFull(t *testing.T) {
	disk := smallDisk(t, "200m")
	p := launch(t, "WORKMAN_DATA="+disk+"/data", "WORKMAN_DISK_RESERVE=20000000")
	a, w, q := askerOf(t, p.addr), newHand(t, p.addr, "mail"), p.socket("/websocket")
	var ids []string
	for range 10 {
		ids = append(ids, a.submit("mail", "1"))
	}
	keyed := a.submit("later", "1", "Idempotency-Key: k")
	ids = append(ids, keyed)
	one, two, three := w.take(), w.take(), w.take()
	filler := filepath.Join(disk, "filler")
	filled(t, filler, 10<<20)
	var refused reply
	waitFor(t, "a run to be refused", func() bool {
		got, err := a.try("POST", "/task/mail", "1", "Prefer: respond-async")
		if err != nil {
			t.Fatal(err)
		}
		if refused = got; got.status == 202 {
			ids = append(ids, got.run().ID)
		}
		return got.status != 202
	})
	if refused.says("store-full"); refused.status != 503 || refused.head.Get("Retry-After") == "" || !strings.Contains(refused.body, "disk is nearly full") {
		t.Errorf("refused with %d %v %s", refused.status, refused.head, refused.body)
	}
	a.do(503, "POST", "/schedule/2999-01-01T00:00:00Z/mail", "1").says("store-full")
	q.say(`{"action":"RunTask","name":"mail","nonce":1,"durable":true}`)
	if got := q.hear(); !strings.HasPrefix(got, `{"nonce":1,"error":{"type":"urn:workman:problem:store-full"`) {
		t.Errorf("over WebSocket: %s", got)
	}
	if again := a.submit("later", "1", "Idempotency-Key: k"); again != keyed {
		t.Errorf("the key of a run that is stored leads to %s, want %s", again, keyed)
	}

	fullDiskWorks(t, a, w, one, two, three)
	filled(t, filler, 0) // not only nearly
	w.work(`"on a full disk"`)
	if got := a.pages("/runs?limit=1000", "runs"); len(got) != len(ids) {
		t.Errorf("on a full disk %d runs are listed, want %d", len(got), len(ids))
	}
	q.say(`{"action":"RunTask","name":"call","nonce":2,"options":"in memory"}`)
	c := newHand(t, p.addr, "call")
	c.work("2")
	if got := q.hear(); got != `{"nonce":2,"result":2}` {
		t.Errorf("a call on a full disk: %s", got)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "runs to be taken again", func() bool {
		got, err := a.try("POST", "/task/mail", "1", "Prefer: respond-async")
		if err == nil && got.status == 202 {
			ids = append(ids, got.run().ID)
		}
		return err == nil && got.status == 202
	})
	p.kill()
	p = launch(t, "WORKMAN_DATA="+disk+"/data", "WORKMAN_DISK_RESERVE=20000000")
	a = askerOf(t, p.addr)
	a.holds(ids)
	for id, want := range map[string]string{one.Run: "succeeded", two.Run: "dead", three.Run: "cancelled"} {
		if d := a.look(id); d.State != want {
			t.Errorf("after kill -9 a run is %s, and was told to be %s", d.State, want)
		}
	}
	p.kill() // before its disk goes
}

// fullDiskWorks finishes what is in hand while new runs are refused, and looks whether it is told.
func fullDiskWorks(t *testing.T, a asker, w hand, one, two, three ticket) {
	t.Helper()
	w.done(one, `"done"`)
	w.fail(two, `"error":"no","retry":false`)
	w.fail(three, `"error":"again","after":"1h"`)
	for id, want := range map[string]string{one.Run: "succeeded", two.Run: "dead"} {
		if d := a.ended(id); d.State != want {
			t.Errorf("finished while the disk is nearly full: %+v, want it %s", d, want)
		}
	}
	a.is(three.Run, "retrying")
	a.do(202, "DELETE", "/runs/"+three.Run, "")
	a.do(503, "POST", "/runs/"+three.Run+"/retry", "").says("store-full")
}
