package dispatch_test

import (
	"slices"
	"testing"

	"workman/dispatch"
)

// TestSurveyRunning: the runs that workers have are listed, in pages of any size, and neither calls nor what waits.
func TestSurveyRunning(t *testing.T) {
	k, producer, worker, must := roomWorld(t, 20_000)
	terms := dispatch.NewTerms()
	terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
	for range 10_000 { // more than are looked at for one page; past the world, which would look at all of them at each step
		var out dispatch.Batch
		k.bare.Step(k.now, producer.conn, &dispatch.Event{Kind: dispatch.RunTask, Name: dispatch.Span{Len: 4}, Body: dispatch.Span{Off: 4, Len: 1}}, []byte("none1"), &out)
	}
	must(k.do(worker.conn, ask{kind: dispatch.GetTask, count: 6}))
	must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("a"), body: k.newBody()}))
	for range 7 {
		must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("a"), body: k.newBody(), terms: &terms}))
	}
	want := k.ids()[:5]
	for _, limit := range []uint32{1, 2, 5, 1000} {
		var got []dispatch.ID
		for from, pages := int64(0), 0; pages == 0 || from != 0; pages++ {
			var out dispatch.Batch
			k.bare.Step(k.now, 0, &dispatch.Event{Kind: dispatch.ListRunning, Seq: 9, At: from, Count: limit}, nil, &out)
			if out.Asked != 9 || len(out.Survey.Running) > int(limit) {
				t.Fatalf("a page of %d: %+v", limit, out.Survey)
			}
			for _, r := range out.Survey.Running {
				if r.Stamp != r.ID.Stamp() {
					t.Errorf("the place of a run that was never put back is %x, and its id's %x", r.Stamp, r.ID.Stamp())
				}
				got = append(got, r.ID)
			}
			from = int64(out.Survey.Next)
		}
		slices.SortFunc(got, func(a, b dispatch.ID) int { return slices.Compare(a[:], b[:]) })
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", limit, got, want)
		}
	}
}
