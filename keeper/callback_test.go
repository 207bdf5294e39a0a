package keeper_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/dispatch"
)

// finishedRun is what the store has of a run with a callback that has finished.
func finishedRun(n int) []op {
	run := id(n)
	stored := dispatch.StoredRun{Policy: dispatch.DefaultPolicy(), Created: 5, Rank: 4, Name: []byte("mail"), Callback: []byte("https://a.example/")}
	outcome := dispatch.Outcome{State: dispatch.Succeeded, Finished: 9, Result: []byte(`"sent"`)}
	return []op{
		{dispatch.TableRuns, run[:], stored.Append(nil)}, {dispatch.TableOutcomes, run[:], outcome.Append(nil)},
		{dispatch.TableCalls, run[:], []byte{}},
	}
}

// TestCallback: a run whose callback is to be made goes to the pool, which finds what to say and where; once it is done, it
// does not find it any more, whether the store knows yet or not, and the dispatcher is told.
func TestCallback(t *testing.T) {
	var calls [][16]byte
	k, l := begin(t, config(t, vfs.NewMem()), func(run [16]byte) { calls = append(calls, run) })
	k.Keep(batch(1, slices.Concat(finishedRun(1), finishedRun(2), finishedRun(3))...))
	l.committed(t, 1)
	if k.Keep(&dispatch.Batch{Calls: []dispatch.ID{id(1), id(3)}}); !slices.Equal(calls, [][16]byte{id(1), id(3)}) {
		t.Errorf("the pool got %x", calls)
	}
	all, err := k.Waiting([16]byte{}, 2)
	if err != nil || !slices.Equal(all, [][16]byte{id(1), id(2)}) {
		t.Errorf("waiting: %x, %v", all, err)
	}
	if all, err = k.Waiting(id(2), 2); err != nil || !slices.Equal(all, [][16]byte{id(3)}) {
		t.Errorf("waiting behind the second: %x, %v", all, err)
	}
	url, doc, ok, err := k.Outcome(id(2))
	if err != nil || !ok || url != "https://a.example/" || !strings.Contains(string(doc), `"state":"succeeded"`) || !strings.Contains(string(doc), `"result":"sent"`) {
		t.Errorf("outcome: %q %s %v %v", url, doc, ok, err)
	}
	there := func(n int) bool {
		t.Helper()
		_, _, ok, err := k.Outcome(id(n))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if there(4) {
		t.Error("there is an outcome of a run that is not there")
	}
	k.Called(id(2))
	if there(2) || !there(1) {
		t.Error("a callback that was made is to be made again, or another is not any more")
	}
	if e := l.next(t, dispatch.CallbackDone); e.run != id(2) {
		t.Errorf("the callback of %v is done", e.run)
	}
	two := id(2)
	k.Keep(batch(2, op{dispatch.TableCalls, two[:], nil}))
	l.committed(t, 2)
	if there(2) {
		t.Error("a callback that was made is to be made again")
	}
	k.Keep(batch(3, finishedRun(2)...)) // tried once more, and finished again
	l.committed(t, 3)
	if !there(2) {
		t.Error("the callback of a run that finished once more is not to be made")
	}
	k.Called(id(1))
	k.Keep(batch(4, finishedRun(1)...)) // it finished once more before its first callback was noted
	if !there(1) {
		t.Error("the callback of a run that finished once more is not to be made")
	}
}
