package examples_test

import (
	"os/exec"
	"syscall"
)

// dieWithTest has the kernel end the process when the test itself is ended, so that a test that runs out of time
// leaves nothing behind.
func dieWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// killAll ends a process and those that it started: a shell does its work with others.
func killAll(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != syscall.ESRCH {
		return err
	}
	return nil
}
