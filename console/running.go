package console

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"workman/dispatch"
)

// askedRunning is how many runs that are with a worker are asked for at once.
const askedRunning = 4096

// running makes a lane of the runs that are with a worker, in the order in which they stood in line. The dispatcher has all of
// them in memory; to the store they are among those that wait, of which there may be a million for each.
func (cfg *Config) running(ctx context.Context) (lanes, error) {
	l := &lane{table: dispatch.TableQueue, forward: true, ended: true}
	seen := map[dispatch.ID]bool{} // one may have come to another worker meanwhile
	for from := uint32(0); ; {
		s, err := cfg.Tasks.Running(ctx, from, askedRunning)
		if err != nil {
			return nil, err
		}
		for _, r := range s.Running {
			if !seen[r.ID] {
				seen[r.ID] = true
				l.rows = append(l.rows, row{order: binary.BigEndian.AppendUint64(nil, r.Stamp), id: r.ID})
			}
		}
		if from = s.Next; from == 0 {
			break
		}
	}
	slices.SortFunc(l.rows, func(a, b row) int { return bytes.Compare(a.order, b.order) })
	return lanes{l}, nil
}
