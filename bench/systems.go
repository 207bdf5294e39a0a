package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// description is what a reader has to know of a system beside its figures.
type description struct {
	System  string `json:"system"`
	Version string `json:"version,omitempty"`
	Command string `json:"command"` // with PORT for its port
	About   string `json:"about,omitempty"`
	Less    string `json:"less,omitempty"`
}

// describe tells how the program is run.
func (p *program) describe() description {
	return description{p.system, p.version, p.line(), p.about, p.less}
}

// line is the program's command line, as one would type it in a shell.
func (p *program) line() string {
	args, words := p.command("127.0.0.1", "PORT")
	words = append(words, cmp.Or(p.binary, p.system))
	for _, arg := range args {
		if arg == "" {
			arg = `""`
		}
		words = append(words, arg)
	}
	line := strings.Join(words, " ")
	if p.input != nil {
		line += " <<< '" + strings.TrimSpace(p.input("127.0.0.1", "PORT")) + "'"
	}
	return line
}

// String is a description as the table and --help have it.
func (d description) String() string {
	text := fmt.Sprintf("  %-14s  %s\n", d.System, strings.TrimPrefix(d.Version+": "+d.Command, ": "))
	for _, line := range []struct{ word, what string }{{"how", d.About}, {"but", d.Less}} {
		if line.what != "" {
			text += fmt.Sprintf("%19s: %s\n", line.word, line.what)
		}
	}
	return text
}

// writeSystems tells of all systems but workman that have results how they were
// run.
func writeSystems(w io.Writer, systems []description, results []result) error {
	var b strings.Builder
	for _, d := range systems {
		if d.About != "" && slices.ContainsFunc(results, func(r result) bool { return r.System == d.System }) {
			b.WriteString(d.String())
		}
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(w, "\nThe others, as they were run. They carry bytes; workman checks that options and results are JSON.\n"+b.String())
	return err
}

// peerHelp explains the systems of --peers for --help.
func peerHelp() string {
	var b strings.Builder
	for _, p := range peerPrograms() {
		b.WriteString(p.describe().String())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
