package main

import (
	"bytes"
	"os/exec"
	"testing"
)

// BenchmarkServer is a server of this process under the load of the bench, which is another. It is there to be profiled:
// make pgo takes default.pgo from it, by which the compiler sees what is hot. An operation is all of the load.
func BenchmarkServer(b *testing.B) {
	s := serve(b, func(o *options) { o.MaxTasks, o.MaxCalls, o.Loops = 100_000, 100_000, 1 })
	for range b.N {
		cmd := exec.Command("go", "run", "./bench", "--addr", s.addr(), "--scenario", "s1,s2,http", "--rounds", "1", "--seconds", "4")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil {
			b.Fatalf("%v\n%s", err, said.String())
		}
	}
}
