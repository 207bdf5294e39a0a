package dispatch_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"workman/dispatch"
)

// TestFencesGoOn: a server hands out more often than half a fence can count, and each fence is higher than all before, also after
// the next start: the epoch that they run into is recorded to have been, long before.
func TestFencesGoOn(t *testing.T) {
	const epoch = 7
	s := newScript(t)
	cfg := dispatch.DefaultConfig()
	cfg.Durable = true
	d, err := dispatch.New(cfg, rand.New(rand.NewPCG(1, 2)), s.now)
	if err != nil {
		t.Fatal(err)
	}
	d.Begin(epoch, 0)
	s.d = d
	s.works(first, 100)
	last, recorded := uint64(0), uint64(0)
	for _, from := range []uint64{0, 1<<31 - 3, 1<<32 - 3} {
		d.SetFence(epoch<<32 + from)
		for range 5 {
			got := s.call("1")
			s.wants(got, "HandOut "+showConn(first))
			ticket, err := dispatch.DecodeTicket(got[0].Nonce)
			if err != nil || ticket.Fence <= last {
				t.Errorf("fence %d after %d: %v", ticket.Fence, last, err)
			}
			last = ticket.Fence
			for _, op := range s.out.Ops {
				if op.Table != dispatch.TableMeta || string(op.Key.Of(s.out.Data)) != dispatch.MetaEpoch || recorded != 0 {
					t.Errorf("an operation of table %q", op.Table)
				}
				recorded = binary.BigEndian.Uint64(op.Value.Of(s.out.Data))
			}
		}
		if next := max(recorded, epoch) + 1; last >= next<<32 {
			t.Errorf("fence %d, and the next start has epoch %d", last, next)
		}
	}
	if last>>32 != epoch+1 || recorded != epoch+1 {
		t.Errorf("the last fence is %d, the epoch recorded %d", last, recorded)
	}
}
