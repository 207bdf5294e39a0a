package transcript

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Dial opens a connection to the server. Reading must end with an error, rather than wait for ever, when the server has
// nothing to say.
type Dial func() (io.ReadWriteCloser, error)

// Run replays a script.
func Run(t testing.TB, dial Dial, script string) {
	t.Helper()
	r := &replay{t: t, dial: dial, peers: map[string]*peer{}, bound: map[string]string{}}
	for i, line := range strings.Split(script, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := r.line(line); err != nil {
			t.Fatalf("line %d: %s\n%v", i+1, line, err)
		}
	}
	for _, p := range r.peers {
		_ = p.conn.Close()
	}
}

type replay struct {
	t     testing.TB
	dial  Dial
	peers map[string]*peer
	bound map[string]string
}

func (r *replay) line(line string) error {
	parts := strings.SplitN(line, " ", 3)
	if len(parts) < 2 {
		return fmt.Errorf("want: connection, mark, text")
	}
	name, mark, text := parts[0], parts[1], ""
	if len(parts) == 3 {
		text = parts[2]
	}
	p := r.peers[name]
	if p == nil {
		conn, err := r.dial()
		if err != nil {
			return err
		}
		p = newPeer(conn)
		r.peers[name] = p
	}
	switch mark {
	case "~":
		return p.upgrade(text)
	case "+":
		p.fields = append(p.fields, text)
		return nil
	case ">":
		return p.send(r.fill(text))
	case ">>":
		raw, err := strconv.Unquote(`"` + strings.ReplaceAll(r.fill(text), `"`, `\"`) + `"`)
		if err != nil {
			return err
		}
		_, err = io.WriteString(p.conn, raw)
		return err
	case "<":
		got, err := p.receive()
		if err != nil {
			return err
		}
		return r.match(text, got)
	case "=":
		return p.field(r.fill(text))
	case "?":
		return p.quiet()
	case "!":
		delete(r.peers, name)
		return p.conn.Close()
	case "x":
		delete(r.peers, name)
		return p.ended(text)
	}
	return fmt.Errorf("no such mark: %s", mark)
}

var variable = regexp.MustCompile(`\$[a-z]+`)

// fill puts in what variables are bound to.
func (r *replay) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		if v, ok := r.bound[name]; ok {
			return v
		}
		return name
	})
}

// match compares what came with what was expected, and binds variables.
func (r *replay) match(want, got string) error {
	var names []string
	pattern := regexp.QuoteMeta(r.fill(want))
	pattern = strings.ReplaceAll(pattern, "…", `(?s:.*)`)
	pattern = regexp.MustCompile(`\\\$[a-z]+`).ReplaceAllStringFunc(pattern, func(name string) string {
		names = append(names, name[1:])
		return `([0-9A-Za-z.-]+)`
	})
	found := regexp.MustCompile(`^` + pattern + `$`).FindStringSubmatch(got)
	if found == nil {
		return fmt.Errorf("got:  %s\nwant: %s", got, r.fill(want))
	}
	for i, name := range names {
		r.bound[name] = found[i+1]
	}
	return nil
}
