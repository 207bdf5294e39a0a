package examples_test

import (
	"os/exec"
	"syscall"
)

// dieWithTest has the kernel end the process when the test itself is ended, so that a test that runs out of time
// leaves nothing behind.
func dieWithTest(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
