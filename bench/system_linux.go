package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file holds all that is Linux's alone. The loops use raw system calls:
// their sockets never block, and a raw epoll wait spares the Go scheduler (and
// its monitor thread, which would wake every 20 µs on the core that is
// measured). The price is that a garbage collection may wait for it, some ms.

// poller is an epoll instance, level-triggered, for the sockets of one loop.
type poller struct {
	fd     int
	events []unix.EpollEvent
}

// newPoller makes a poller that reports up to 256 sockets at once.
func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating an epoll instance: %w", err)
	}
	return &poller{fd: fd, events: make([]unix.EpollEvent, 256)}, nil
}

// watch reports the socket under this index when it can be read.
func (p *poller) watch(fd, index int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(index)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event))
}

// await switches to reporting the socket when it can be written instead, or
// back. A connection with a backlog is not read: it must not grow.
func (p *poller) await(fd, index int, writable bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(index)}
	if writable {
		event.Events = unix.EPOLLOUT
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, fd, &event))
}

// wait blocks until sockets are ready, at most for limit, and returns how many
// are: index(i) tells which.
func (p *poller) wait(limit time.Duration) (int, error) {
	at := unix.NsecToTimespec(int64(limit))
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(&at)), 0, 0)
	if errno == unix.EINTR {
		return 0, nil
	}
	if errno != 0 {
		return 0, os.NewSyscallError("epoll_pwait2", errno)
	}
	return int(n), nil
}

// sharpenTimers has the kernel wake this thread when its time has come, and
// not, to save power, up to 50 µs later.
func sharpenTimers() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0))
}

// index is what the i-th socket that is ready was watched under.
func (p *poller) index(i int) int { return int(p.events[i].Fd) }

// close frees the instance.
func (p *poller) close() { unix.Close(p.fd) }

// readSocket reads what is there, without blocking. again says that nothing
// is; n is 0 at the end of the stream.
func readSocket(fd int, b []byte) (n int, again bool, err error) {
	return transfer(unix.SYS_READ, "read", fd, b)
}

// writeSocket writes what the kernel takes, without blocking.
func writeSocket(fd int, b []byte) (n int, again bool, err error) {
	return transfer(unix.SYS_WRITE, "write", fd, b)
}

// transfer is a raw read or write of b, which is not empty.
func transfer(call uintptr, name string, fd int, b []byte) (n int, again bool, err error) {
	r, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch errno {
	case 0:
		return int(r), false, nil
	case unix.EAGAIN, unix.EINTR:
		return 0, true, nil
	}
	return 0, false, os.NewSyscallError(name, errno)
}

// detach returns a descriptor of its own for conn's socket, which stays
// non-blocking. conn can then be closed.
func detach(conn syscall.Conn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	ctl := raw.Control(func(f uintptr) { fd, err = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 0) })
	if ctl != nil {
		return -1, ctl
	}
	return fd, os.NewSyscallError("fcntl", err)
}

// closeSocket closes what detach returned.
func closeSocket(fd int) { unix.Close(fd) }

// maxFiles is how many descriptors this process may have open, and each server
// that it starts.
func maxFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}

// ownCPU is the CPU time that this process has used, all threads.
func ownCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// allowedCores lists the cores that this process may run on.
func allowedCores() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cores []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	return cores, nil
}

// pinThread keeps one thread (0: the calling one) on these cores; threads and
// processes that it starts inherit them.
func pinThread(tid int, cores []int) error {
	var set unix.CPUSet
	for _, c := range cores {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(tid, &set); err != nil {
		return fmt.Errorf("pinning thread %d to cores %v: %w", tid, cores, err)
	}
	return nil
}

// pinSelf keeps all threads of this process on these cores: twice over the
// list, for those that started meanwhile.
func pinSelf(cores []int) error {
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("listing the bench's own threads: %w", err)
		}
		for _, t := range tasks {
			tid, _ := strconv.Atoi(t.Name())
			if err := pinThread(tid, cores); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return nil
}

// isolate puts a child in a process group of its own (Ctrl-C is for the bench,
// which then stops it) and has it killed should the bench die.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// isTerminal says whether f is one.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// supported is nil where the bench can run: since Linux 5.11.
func supported() error {
	p, err := newPoller()
	if err != nil {
		return err
	}
	defer p.close()
	if _, err := p.wait(0); err != nil {
		return fmt.Errorf("the bench needs Linux 5.11 or later: %w", err)
	}
	return nil
}
