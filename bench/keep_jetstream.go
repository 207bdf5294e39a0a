package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"time"
)

// NATS JetStream as a queue that keeps: a stream on the disk, whose messages go
// once they are acknowledged (work queue). Producers publish and get an
// acknowledgement in an inbox, whose last token names the slot. All workers pull
// from one consumer, half of their credits at a time, and acknowledge each
// message, which the server does not confirm.
const (
	jetStream   = `{"name":"WORK","subjects":["work"],"retention":"workqueue","storage":"file","num_replicas":1}`
	jetConsumer = `{"stream_name":"WORK","config":{"durable_name":"C","ack_policy":"explicit","max_waiting":4096}}`

	jetAckHead = `{"stream":"WORK",`
	jetAck     = " 4\r\n+ACK\r\n"
)

// jetKeepers speak to a nats-server with JetStream.
type jetKeepers struct{}

func (jetKeepers) submitter(sc scenario, addr string, i int, p *promises, l *ledger, random *source) (socket, debtor, error) {
	s, err := connect(addr, jetPrepare)
	return s, newJetSubmitter(sc, i, p, l, random), err
}

func (jetKeepers) finisher(sc scenario, addr string, i int, p *promises, _ *source) (socket, peer, error) {
	s, err := connect(addr, jetPrepare)
	return s, newJetFinisher(i, sc.Credits, p), err
}

// jetPrepare greets the server, and makes the stream and its consumer, unless
// another connection has made the same ones already. The consumer is as it
// comes: up to 1000 messages wait for their acknowledgement, which bounds how far
// acknowledgements that are sent may be ahead of those that are stored.
func jetPrepare(conn net.Conn) (said []byte, err error) {
	c, err := greetJet(conn)
	if err != nil {
		return nil, err
	}
	if _, err := c.ask("$JS.API.STREAM.CREATE.WORK", jetStream); err != nil {
		return nil, err
	}
	if _, err := c.ask("$JS.API.CONSUMER.DURABLE.CREATE.WORK.C", jetConsumer); err != nil {
		return nil, err
	}
	said, err = c.in.Peek(c.in.Buffered())
	return bytes.Clone(said), err
}

// jetConversation asks JetStream one thing after the other.
type jetConversation struct {
	conn  net.Conn
	in    *bufio.Reader
	inbox string
}

// greetJet begins a conversation, which has dialTimeout.
func greetJet(conn net.Conn) (c jetConversation, err error) {
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return c, err
	}
	c = jetConversation{conn, bufio.NewReader(conn), natsInbox + strconv.FormatUint(rand.Uint64(), 36)}
	_, err = fmt.Fprintf(conn, "%sSUB %s 9\r\n", natsConnect, c.inbox)
	return c, err
}

// ask asks for something and returns the answer.
func (c jetConversation) ask(subject, body string) (answer []byte, err error) {
	if _, err := fmt.Fprintf(c.conn, "PUB %s %s %d\r\n%s\r\n", subject, c.inbox, len(body), body); err != nil {
		return nil, err
	}
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, fmt.Errorf("waiting for NATS to answer %s: %w", subject, err)
		}
		if bytes.HasPrefix(line, []byte("MSG ")) {
			n, _ := lastNumber(bytes.TrimRight(line, "\r\n"))
			answer = make([]byte, n+2)
			break
		}
		if _, _, err := natsLine(line, nil); err != nil {
			return nil, err
		}
	}
	if _, err := io.ReadFull(c.in, answer); err != nil {
		return nil, fmt.Errorf("reading NATS' answer to %s: %w", subject, err)
	}
	var m struct{ Error json.RawMessage }
	if err := json.Unmarshal(answer, &m); err != nil || m.Error != nil {
		return nil, fmt.Errorf("NATS answered %s with %.300q", subject, answer)
	}
	return answer, nil
}

// jetSubmitter publishes runs.
type jetSubmitter struct {
	*submits
	head string // of each acknowledgement
}

func newJetSubmitter(sc scenario, id int, p *promises, l *ledger, random *source) *jetSubmitter {
	inbox := natsInbox + producerTag(id) + "."
	message := fmt.Sprintf("PUB work %s%s %d\r\n%s\r\n", inbox, nonceGap, optionsLen, optionsText)
	s := &jetSubmitter{newSubmits("JetStream", sc, id, p, l, random, message), "MSG " + inbox}
	s.reuse = true // as in natsProducer
	return s
}

// open subscribes to the inbox.
func (s *jetSubmitter) open(out []byte, _ int64) []byte {
	return append(out, "SUB "+s.head[len("MSG "):]+"* 1\r\n"...)
}

// receive checks all whole acknowledgements in data and publishes a run for
// each.
func (s *jetSubmitter) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		b := data[used:]
		var size int
		if len(b) >= natsNonceAt+nonceLen && string(b[:natsNonceAt]) == s.head {
			size, err = s.acknowledge(b, now)
		} else {
			size, out, err = natsLine(b, out)
		}
		if err != nil {
			return used, out, err
		}
		if size == 0 {
			break
		}
		used += size
	}
	if s.ledger.issuing {
		out = s.submit(out, now)
	}
	return used, out, nil
}

// acknowledge takes the acknowledgement at the start of b. size is 0 if b holds
// only a part of it.
func (s *jetSubmitter) acknowledge(b []byte, now int64) (size int, err error) {
	line := bytes.IndexByte(b, '\n') + 1
	if line == 0 {
		return 0, tooLong(b)
	}
	n, ok := lastNumber(bytes.TrimRight(b[:line], "\r\n"))
	if size = line + n + 2; len(b) < size {
		return 0, nil
	}
	if text := b[line : line+n]; !ok || !bytes.HasPrefix(text, []byte(jetAckHead)) || bytes.Contains(text, []byte(`"error"`)) {
		return 0, fmt.Errorf("a message was answered %.300q, not acknowledged", text)
	}
	if i := s.slotOf(binary.LittleEndian.Uint64(b[natsNonceAt:])); i >= 0 {
		s.settle(i, now)
	}
	return size, nil
}

// jetFinisher pulls runs and acknowledges them.
type jetFinisher struct {
	*finished
	subscribe string
	pull      string // asks for half of the credits
	half      int
	left      int // runs until the next half is asked for
}

func newJetFinisher(i, credits int, p *promises) *jetFinisher {
	half := max(1, credits/2)
	inbox, batch := "_D."+strconv.Itoa(i), fmt.Sprintf(`{"batch":%d}`, half)
	return &jetFinisher{finished: newFinished("JetStream", i, p), subscribe: "SUB " + inbox + " 1\r\n", half: half, left: half,
		pull: fmt.Sprintf("PUB $JS.API.CONSUMER.MSG.NEXT.WORK.C %s %d\r\n%s\r\n", inbox, len(batch), batch)}
}

// open asks for the first runs.
func (w *jetFinisher) open(out []byte, _ int64) []byte {
	return append(out, w.subscribe+w.pull+w.pull...)
}

// receive acknowledges all whole runs in data.
func (w *jetFinisher) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		b := data[used:]
		reply, options, size := natsTask(b)
		if size == 0 {
			if size, out, err = natsLine(b, out); size == 0 || err != nil {
				return used, out, err
			}
			used += size
			continue
		}
		_, sent, err := w.take(options)
		if err != nil {
			return used, out, err
		}
		used += size
		out = append(append(append(out, "PUB "...), reply...), jetAck...)
		w.settle(sent, now)
		if w.left--; w.left == 0 {
			w.left = w.half
			out = append(out, w.pull...)
		}
	}
}

// verify asks how many messages the stream has. Acknowledgements of workers
// are on their way for a moment, so it asks until they have come.
func (jetKeepers) verify(ctx context.Context, addr string, all []*promises) error {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	end := time.NewTimer(verifyTimeout)
	defer end.Stop()
	for {
		n, err := jetMessages(ctx, addr)
		if err != nil {
			return err
		}
		if err = compareKept(n, "", all); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errInterrupted
		case <-end.C:
			return err
		case <-again.C:
		}
	}
}

// jetMessages is how many messages the stream has.
func jetMessages(ctx context.Context, addr string) (string, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("connecting to NATS: %w", err)
	}
	defer conn.Close()
	c, err := greetJet(conn)
	if err != nil {
		return "", err
	}
	answer, err := c.ask("$JS.API.STREAM.INFO.WORK", "")
	if err != nil {
		return "", err
	}
	var info struct{ State struct{ Messages int64 } }
	err = json.Unmarshal(answer, &info)
	return strconv.FormatInt(info.State.Messages, 10), err
}
