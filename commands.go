package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"workman/conform"
	"workman/prove"
)

// commands are what the program can do. Without a command it serves.
type commands struct {
	Serve       options            `cmd:"" default:"withargs" help:"Serve. This is what happens without a command."`
	Backup      backupCommand      `cmd:"" help:"Copy the store of a running server into a folder, from which another can start."`
	Prove       proveCommand       `cmd:"" help:"Put load on a server of its own, kill it and its workers again and again, and report what was lost."`
	CheckWorker checkWorkerCommand `cmd:"" help:"Check what of the protocol a worker does right, one that you write: workman check-worker -- node worker.js"`
}

// errSaid is returned when what went wrong has been said already.
var errSaid = errors.New("failed")

// Run serves.
func (o *options) Run() error { return run(*o, o.logger(os.Stderr)) }

type backupCommand struct {
	Dir  string `arg:"" help:"Folder to make. It must not be there."`
	Host string `default:"localhost" env:"HOST" help:"Where the server listens."`
	Port int    `default:"9999" env:"PORT" help:"And its port."`
}

// Run asks the server for a backup.
func (c *backupCommand) Run() error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fmt.Errorf("find the folder %s: %w", c.Dir, err)
	}
	body, err := json.Marshal(map[string]string{"dir": dir})
	if err != nil {
		return err
	}
	began := time.Now()
	url := "http://" + net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) + "/backup"
	answer, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the server for a backup (is it running there?): %w", err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server refused: %s: %s", answer.Status, text)
	}
	fmt.Printf("everything that was acknowledged until now is in %s (%v); start from it with --data %s\n",
		dir, time.Since(began).Round(time.Millisecond), dir)
	return nil
}

type proveCommand struct {
	For   time.Duration `default:"60s" help:"How long there is load."`
	Kills int           `default:"0" help:"How often the server is killed meanwhile; 0 for once every two seconds."`
	Rate  int           `default:"300" help:"Requests a second."`
	Data  string        `default:"" placeholder:"DIR" help:"Folder to prove in, on the disk that is to be proved; it must be empty. Without, one is made, and taken away if all is well."`
	Seed  uint64        `default:"0" help:"Of what is asked for and when it is killed; 0 for any."`
}

// Run proves this very program on the user's machine and disk.
func (c *proveCommand) Run() error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg := prove.Config{Binary: binary, Dir: c.Data, For: c.For, Kills: c.Kills, Rate: c.Rate, Seed: c.Seed, Progress: terminal()}
	report, err := prove.Run(ctx, cfg)
	fmt.Print(report.Table())
	if err != nil {
		return err
	}
	if !report.Good() {
		return errSaid
	}
	return nil
}

// terminal is where progress is shown; nil if nobody looks.
func terminal() io.Writer {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return os.Stderr
	}
	return nil
}

type checkWorkerCommand struct {
	Timeout time.Duration `default:"10s" help:"How long the worker may take for each step."`
	Long    bool          `help:"Wait for what takes long, too: 90 s of silence."`
	JSON    bool          `name:"json" help:"Print the report as JSON."`
	Command []string      `arg:"" passthrough:"" help:"Starts the worker. WORKMAN_URL, HOST and PORT are in its environment; {url}, {host} and {port} in its arguments are replaced."`
}

// Run checks a worker of the user's.
func (c *checkWorkerCommand) Run() error {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	report, err := conform.Run(ctx, conform.Config{Binary: binary, Command: command, Timeout: c.Timeout, Long: c.Long, Progress: terminal()})
	if err != nil && len(report.Checks) == 0 {
		return err
	}
	text := report.Table()
	if c.JSON {
		raw, err := report.JSON()
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		text = string(raw) + "\n"
	}
	fmt.Print(text)
	if err == nil && !report.Good() {
		err = errSaid
	}
	return err
}
