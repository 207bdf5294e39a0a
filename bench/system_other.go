//go:build !linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// errSystem is returned wherever epoll and /proc are missing.
var errSystem = errors.New("the bench needs Linux (epoll, /proc), and this is " + runtime.GOOS)

type poller struct{}

func newPoller() (*poller, error)                 { return nil, errSystem }
func (p *poller) watch(int, int) error            { return errSystem }
func (p *poller) await(int, int, bool) error      { return errSystem }
func (p *poller) wait(time.Duration) (int, error) { return 0, errSystem }
func sharpenTimers() error                        { return errSystem }
func (p *poller) index(int) int                   { return 0 }
func (p *poller) close()                          {}
func readSocket(int, []byte) (int, bool, error)   { return 0, false, errSystem }
func writeSocket(int, []byte) (int, bool, error)  { return 0, false, errSystem }
func detach(syscall.Conn) (int, error)            { return -1, errSystem }
func closeSocket(int)                             {}
func maxFiles() int                               { return 0 }
func fileSystem(string) (string, error)           { return "", errSystem }
func ownCPU() time.Duration                       { return 0 }
func allowedCores() ([]int, error)                { return nil, errSystem }
func pinThread(int, []int) error                  { return errSystem }
func pinSelf([]int) error                         { return errSystem }
func isolate(*exec.Cmd)                           {}
func isTerminal(*os.File) bool                    { return false }
func supported() error                            { return errSystem }
