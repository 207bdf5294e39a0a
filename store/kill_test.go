package store_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/store"
)

const killEnv = "WORKMAN_STORE_WRITE" // a folder: the test binary writes into it until it is killed

var kills = fewer(50)

// TestKill kills a process that writes, with SIGKILL at a random moment, again and again on one folder, and accounts for
// every batch that it was told is durable.
func TestKill(t *testing.T) { killAgainAndAgain(t, "") }

// TestKillAsync does the same with Config.Async: what the operating system has survives the process.
func TestKillAsync(t *testing.T) { killAgainAndAgain(t, "async") }

func killAgainAndAgain(t *testing.T, mode string) {
	t.Helper()
	folder := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var m models
	at, whole := 0, 0
	for round := range kills {
		told := killed(t, self, folder, mode, at, time.Duration(rng.IntN(120))*time.Millisecond)
		s, err := store.Open(folder, small(vfs.Default))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		before := at
		at, err = m.verify(s, max(at, told), 1<<30)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		whole += at - before
		closeStore(t, s)
	}
	t.Logf("%d kills, %d batches, nothing lost", kills, whole)
	if whole < 10*kills {
		t.Fatalf("only %d batches in %d kills: nothing was tried", whole, kills)
	}
}

// killed runs a writer for a while, and returns the number of the last batch it reported.
func killed(t *testing.T, self, folder, mode string, at int, after time.Duration) (told int) {
	t.Helper()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), killEnv+"="+folder, killEnv+"_AT="+strconv.Itoa(at), killEnv+"_MODE="+mode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	if b, err := in.ReadByte(); err != nil || b != '!' { // it begins to open the folder
		t.Fatalf("the writer did not begin: %v", err)
	}
	kill := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer kill.Stop()
	var number [8]byte
	for {
		if _, err := io.ReadFull(in, number[:]); err != nil {
			break
		}
		told = int(binary.LittleEndian.Uint64(number[:]))
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return told
}

// writeUntilKilled is the writer's main. It reports false if this process is none.
func writeUntilKilled() bool {
	folder := os.Getenv(killEnv)
	if folder == "" {
		return false
	}
	at, err := strconv.Atoi(os.Getenv(killEnv + "_AT"))
	if err != nil {
		panic(err)
	}
	report := func(b []byte) {
		if _, err := os.Stdout.Write(b); err != nil {
			panic(err)
		}
	}
	report([]byte{'!'})
	cfg := small(vfs.Default)
	cfg.Async = os.Getenv(killEnv+"_MODE") == "async"
	cfg.Told = func(n uint64, err error) {
		if err != nil {
			panic(err)
		}
		report(binary.LittleEndian.AppendUint64(nil, uint64(at)+n))
	}
	s, err := store.Open(folder, cfg)
	if err != nil {
		panic(err)
	}
	var b store.Batch
	for n := at + 1; ; n++ {
		fill(&b, n)
		for {
			number, err := s.Append(&b)
			if err == nil {
				if n%50 == 0 {
					err = s.Wait(number)
				}
				if err == nil {
					break
				}
			}
			panic(err)
		}
	}
}
