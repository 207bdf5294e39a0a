package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// report is what --json writes.
type report struct {
	Time      time.Time     `json:"time"`
	Arguments []string      `json:"arguments"`
	Machine   machine       `json:"machine"`
	Pinned    bool          `json:"pinned"`
	Systems   []description `json:"systems"`
	Scenarios []scenario    `json:"scenarios"`
	Results   []result      `json:"results"`
	Ratios    []ratio       `json:"ratios"`
	Extras    []extras      `json:"extras,omitempty"`
	Disk      string        `json:"disk,omitempty"` // the file system that kept runs
}

// machine is where it was measured.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// thisMachine describes the machine as far as /proc tells.
func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = modelName(string(text))
	}
	return m
}

// modelName is the first processor's name from the text of /proc/cpuinfo.
func modelName(text string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// write saves the report as JSON.
func (r report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the report that --json asks for: %w", err)
	}
	return nil
}
