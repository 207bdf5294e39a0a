package examples_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A transcript is a fenced block of docs/protocol.md in the language `wire`. Each line is one of
//
//	WHO > TEXT         WHO sends a message, or a line of an HTTP request
//	WHO < TEXT         WHO receives a message, or a line of an HTTP answer
//	WHO < close CODE   the server closes WHO's connection with this code
//	WHO x              WHO's connection is lost
//
// WHO is http, producer or worker, with a digit behind it if there are several. In what is received, ... stands for
// anything, and <word> for anything without a quotation mark: the same thing wherever the word comes up again.
type transcript struct {
	heading string
	line    int
	steps   []step
}

type step struct {
	line int
	who  string
	op   string // ">", "<" or "x"
	text string
}

var stepLine = regexp.MustCompile(`^((?:http|producer|worker)\d?) ([><x])(?: (.*))?$`)

// parseTranscripts finds the transcripts of a page.
func parseTranscripts(page string) (all []transcript, err error) {
	var heading string
	var in, other bool
	for i, line := range strings.Split(page, "\n") {
		switch {
		case line == "```wire" && !other:
			in = true
			all = append(all, transcript{heading: heading, line: i + 1})
		case strings.HasPrefix(line, "```"):
			other = !in && !other
			in = false
		case in:
			m := stepLine.FindStringSubmatch(line)
			if m == nil {
				return nil, fmt.Errorf("line %d is no step: %s", i+1, line)
			}
			last := &all[len(all)-1]
			last.steps = append(last.steps, step{i + 1, m[1], m[2], m[3]})
		case !other && strings.HasPrefix(line, "#"):
			heading = strings.TrimLeft(line, "# ")
		}
	}
	return all, nil
}

// peer is one end of a connection of a transcript.
type peer struct {
	ws       *websocket.Conn
	messages chan string // closed after the last one
	ended    error       // why there are no more; set before messages is closed

	tcp   net.Conn
	reply *bufio.Reader
}

// replay is a transcript under way.
type replay struct {
	w     *workman
	peers map[string]*peer
	words map[string]string
	steps []step
}

// run replays a transcript and says where it went otherwise.
func (tr transcript) run(w *workman) error {
	r := &replay{w: w, peers: map[string]*peer{}, words: map[string]string{}, steps: tr.steps}
	defer func() {
		for _, p := range r.peers {
			p.close()
		}
	}()
	for len(r.steps) > 0 {
		at := r.steps[0]
		if err := r.next(); err != nil {
			return fmt.Errorf("line %d, %s %s %s: %w", at.line, at.who, at.op, at.text, err)
		}
	}
	for who, p := range r.peers {
		if p.ws == nil {
			continue
		}
		if err := p.settle(); err != nil {
			return fmt.Errorf("%s, at the end: %w", who, err)
		}
		if len(p.messages) > 0 {
			return fmt.Errorf("%s received one message more: %s", who, <-p.messages)
		}
	}
	return nil
}

// next takes the next step, or, with HTTP, all the lines of a request or an answer.
func (r *replay) next() error {
	s := r.steps[0]
	p := r.peers[s.who]
	if p == nil {
		var err error
		if p, err = r.dial(s.who); err != nil {
			return err
		}
		r.peers[s.who] = p
	}
	if s.op == "x" {
		r.steps = r.steps[1:]
		delete(r.peers, s.who)
		p.close()
		return nil
	}
	if p.ws == nil {
		var lines []string
		for len(r.steps) > 0 && r.steps[0].who == s.who && r.steps[0].op == s.op {
			lines = append(lines, r.steps[0].text)
			r.steps = r.steps[1:]
		}
		if s.op == ">" {
			return r.request(p, lines)
		}
		return r.answer(p, lines)
	}
	r.steps = r.steps[1:]
	if s.op == "<" {
		return r.receive(p, s.text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.ws.Write(ctx, websocket.MessageText, []byte(r.fill(s.text))); err != nil {
		return err
	}
	if len(r.steps) > 0 && r.steps[0].who != s.who {
		return p.settle() // connections are in no order, but a page is
	}
	return nil
}

func (r *replay) dial(who string) (*peer, error) {
	kind := strings.TrimRight(who, "0123456789")
	if kind == "http" {
		tcp, err := net.Dial("tcp", r.w.address())
		if err != nil {
			return nil, err
		}
		return &peer{tcp: tcp, reply: bufio.NewReader(tcp)}, nil
	}
	path := map[string]string{"producer": "/websocket", "worker": "/worker"}[kind]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, r.w.websocket()+path, nil)
	if err != nil {
		return nil, err
	}
	p := &peer{ws: ws, messages: make(chan string, 100)}
	go func() {
		defer close(p.messages)
		for {
			_, m, err := ws.Read(context.Background())
			if err != nil {
				p.ended = err
				return
			}
			p.messages <- string(m)
		}
	}()
	return p, nil
}

func (p *peer) close() {
	if p.ws == nil {
		p.tcp.Close()
		return
	}
	p.ws.CloseNow()
	for range p.messages { // until it has ended
	}
}

// settle waits until the server has taken in all that was sent on this connection, and all that it answered at once is
// here: a pong overtakes nothing.
func (p *peer) settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := p.ws.Ping(ctx)
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		return nil // the next step will tell whether that was to be
	}
	return err
}

func (r *replay) receive(p *peer, want string) error {
	var code int
	if _, err := fmt.Sscanf(want, "close %d", &code); err == nil {
		select {
		case m, ok := <-p.messages:
			if ok {
				return fmt.Errorf("received %s", m)
			}
			if got := websocket.CloseStatus(p.ended); int(got) != code {
				return fmt.Errorf("the connection ended with %d, %w", got, p.ended)
			}
			p.messages = make(chan string) // nothing more is to come, nor to be asked
			close(p.messages)
			for who, q := range r.peers {
				if q == p {
					delete(r.peers, who)
				}
			}
			return nil
		case <-time.After(patience):
			return errors.New("the connection stayed")
		}
	}
	select {
	case m, ok := <-p.messages:
		if !ok {
			return fmt.Errorf("the connection ended: %w", p.ended)
		}
		return r.match(want, m)
	case <-time.After(patience):
		return fmt.Errorf("nothing came in %v", patience)
	}
}

// request sends an HTTP request: a line of method and target, headers, an empty line and a body. What every request
// needs and no reader misses is added: the version, Host and Content-Length.
func (r *replay) request(p *peer, lines []string) error {
	head, body := split(lines)
	var b strings.Builder
	fmt.Fprintf(&b, "%s HTTP/1.1\r\nHost: %s\r\n", r.fill(head[0]), r.w.address())
	for _, h := range head[1:] {
		fmt.Fprintf(&b, "%s\r\n", r.fill(h))
	}
	if body = r.fill(body); body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	fmt.Fprintf(&b, "\r\n%s", body)
	if err := p.tcp.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := io.WriteString(p.tcp, b.String())
	return err
}

// answer reads an HTTP answer: a line with the status, headers that must be among the answer's, an empty line and the
// body.
func (r *replay) answer(p *peer, lines []string) error {
	head, body := split(lines)
	res, err := http.ReadResponse(p.reply, nil)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if strconv.Itoa(res.StatusCode) != head[0] {
		return fmt.Errorf("the answer is %d %s", res.StatusCode, got)
	}
	for _, h := range head[1:] {
		name, want, _ := strings.Cut(h, ": ")
		if err := r.match(want, res.Header.Get(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return r.match(body, string(got))
}

func split(lines []string) (head []string, body string) {
	for i, line := range lines {
		if line == "" {
			return lines[:i], strings.Join(lines[i+1:], "\n")
		}
	}
	return lines, ""
}

var placeholder = regexp.MustCompile(`<[a-z]+>|\.\.\.`)

// fill puts what the words stand for in their place.
func (r *replay) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(word string) string {
		if value, ok := r.words[word]; ok {
			return value
		}
		return word
	})
}

// match compares what was received with what should have been, and learns what new words stand for.
func (r *replay) match(want, got string) error {
	var pattern strings.Builder
	var words []string
	rest := r.fill(want)
	for {
		at := placeholder.FindStringIndex(rest)
		if at == nil {
			break
		}
		pattern.WriteString(regexp.QuoteMeta(rest[:at[0]]))
		if word := rest[at[0]:at[1]]; word == "..." {
			pattern.WriteString(`(?s:.*)`)
		} else {
			pattern.WriteString(`([^"]+)`)
			words = append(words, word)
		}
		rest = rest[at[1]:]
	}
	m := regexp.MustCompile("^" + pattern.String() + regexp.QuoteMeta(rest) + "$").FindStringSubmatch(got)
	if m == nil {
		return fmt.Errorf("received %s", got)
	}
	for i, word := range words {
		r.words[word] = m[i+1]
	}
	return nil
}

// TestProtocolPage replays every transcript of docs/protocol.md, each against a server of its own.
func TestProtocolPage(t *testing.T) {
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	transcripts, err := parseTranscripts(string(page))
	if err != nil {
		t.Fatal(err)
	}
	if len(transcripts) < 20 {
		t.Errorf("docs/protocol.md holds %d transcripts; where did the others go?", len(transcripts))
	}
	for _, tr := range transcripts {
		t.Run(fmt.Sprintf("%s, line %d", tr.heading, tr.line), func(t *testing.T) {
			t.Parallel()
			if err := tr.run(serve(t, "")); err != nil {
				t.Errorf("docs/protocol.md, %v", err)
			}
		})
	}
}

// TestReplayNotices replays transcripts that are wrong, to see that a wrong page would be noticed.
func TestReplayNotices(t *testing.T) {
	w := serve(t, "")
	for _, wrong := range []string{
		"http > GET /tasks\nhttp < 201\nhttp <\nhttp < []",
		"http > GET /tasks\nhttp < 200\nhttp <\nhttp < [1]",
		"http > GET /tasks\nhttp < 200\nhttp < Content-Type: text/html\nhttp <\nhttp < []",
		`producer > {"action":"GetTasks"}` + "\n" + `producer < ["work"]`,
		`producer > {"action":"GetTasks"}`,
		`producer > {"action":"GetTasks","nonce":"a"}` + "\n" + `producer < {"nonce":"b","result":[]}`,
		`producer > {"action":"GetTasks"}` + "\n" + `producer < close 1009`,
	} {
		all, err := parseTranscripts("```wire\n" + wrong + "\n```\n")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		if err := all[0].run(w); err == nil {
			t.Errorf("nothing was wrong with\n%s", wrong)
		} else {
			t.Log(err)
		}
	}
	if _, err := parseTranscripts("```wire\nsomebody > x\n```\n"); err == nil {
		t.Error("a line that is no step was taken for one")
	}
}
