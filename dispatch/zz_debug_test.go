package dispatch_test

import (
	"fmt"
	"os"

	"workman/dispatch"
)

func (k *kept) debug() {
	if os.Getenv("DBG") == "" {
		return
	}
	fmt.Printf("== %d stored %d census %+v\n", k.steps, k.sut.Stats().Stored, k.bare.Census())
	for _, id := range k.ids() {
		run := k.runs[id]
		if run.outcome != nil || run.gone {
			continue
		}
		s := ""
		for key := range k.rows[id] {
			if key[0] == dispatch.TableQueue {
				_, _, place, _ := dispatch.ParseQueueKey([]byte(key[1:]))
				s += fmt.Sprintf(" q%x", place)
			} else {
				s += " " + key[:1]
			}
		}
		fmt.Printf("%s %s r%d %s %s\n", id, run.name, run.r.Rank, k.bare.Whereabouts(id), s)
	}
}
