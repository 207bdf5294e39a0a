package transcript

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// peer is one connection of a script, from the client's side: net/http and gobwas/ws speak for it.
type peer struct {
	conn   io.ReadWriteCloser
	in     *bufio.Reader
	ws     bool
	fields []string // for the next request
	method string   // of the last one
	last   *http.Response
}

func newPeer(conn io.ReadWriteCloser) *peer {
	return &peer{conn: conn, in: bufio.NewReader(conn)}
}

func (p *peer) upgrade(path string) error {
	head := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + p.head() + "\r\n"
	if _, err := io.WriteString(p.conn, head); err != nil {
		return err
	}
	res, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return err
	}
	if accept := res.Header.Get("Sec-WebSocket-Accept"); res.StatusCode != 101 || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		return fmt.Errorf("the handshake was answered %s, accept %q", res.Status, accept)
	}
	p.ws = true
	return nil
}

func (p *peer) head() string {
	head := ""
	for _, f := range p.fields {
		head += f + "\r\n"
	}
	p.fields = nil
	return head
}

func (p *peer) send(text string) error {
	if p.ws {
		return wsutil.WriteClientText(p.conn, []byte(text))
	}
	parts := strings.SplitN(text, " ", 3)
	if len(parts) < 2 {
		return errors.New("want: method, target, body")
	}
	body := ""
	if len(parts) == 3 {
		body = parts[2]
	}
	head := parts[0] + " " + parts[1] + " HTTP/1.1\r\nHost: localhost\r\n" + p.head()
	if body != "" || parts[0] == "POST" {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	p.method = parts[0]
	_, err := io.WriteString(p.conn, head+"\r\n"+body)
	return err
}

// receive returns the next message, or the next answer as its status and body.
func (p *peer) receive() (string, error) {
	if p.ws {
		for {
			h, payload, err := p.frame()
			if err != nil {
				return "", err
			}
			switch h.OpCode {
			case ws.OpPing:
			case ws.OpText:
				return string(payload), nil
			default:
				return "", fmt.Errorf("got a frame of kind %x: %q", h.OpCode, payload)
			}
		}
	}
	var res *http.Response
	for res == nil || res.StatusCode == http.StatusContinue { // a 100 comes or not, as the body was there or not
		var err error
		if res, err = http.ReadResponse(p.in, &http.Request{Method: p.method}); err != nil {
			return "", err
		}
	}
	p.last = res
	body, err := io.ReadAll(res.Body)
	return strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, body)), err
}

func (p *peer) frame() (ws.Header, []byte, error) {
	h, err := ws.ReadHeader(p.in)
	if err != nil {
		return h, nil, err
	}
	if h.Masked || !h.Fin || h.Rsv != 0 {
		return h, nil, fmt.Errorf("got a frame that a server must not send: %+v", h)
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(p.in, payload)
	return h, payload, err
}

func (p *peer) field(text string) error {
	name, want, _ := strings.Cut(text, ":")
	want = strings.TrimSpace(want)
	if p.last == nil {
		return errors.New("no answer came yet")
	}
	if got := p.last.Header.Get(name); got != want {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

// quiet sends a ping: what the server had to say before comes before the pong.
func (p *peer) quiet() error {
	if err := wsutil.WriteClientMessage(p.conn, ws.OpPing, []byte("quiet?")); err != nil {
		return err
	}
	h, payload, err := p.frame()
	if err == nil && (h.OpCode != ws.OpPong || string(payload) != "quiet?") {
		err = fmt.Errorf("got a frame of kind %x: %s", h.OpCode, payload)
	}
	return err
}

// ended expects the end of the connection; with a code, of a WebSocket by a close frame first.
func (p *peer) ended(code string) error {
	if p.ws && code != "" {
		h, payload, err := p.frame()
		if err != nil {
			return err
		}
		if got, _ := ws.ParseCloseFrameData(payload); h.OpCode != ws.OpClose || fmt.Sprint(int(got)) != code {
			return fmt.Errorf("got a frame of kind %x, code %d", h.OpCode, got)
		}
		_ = wsutil.WriteClientMessage(p.conn, ws.OpClose, payload)
	}
	switch b, err := p.in.ReadByte(); {
	case err == nil:
		return fmt.Errorf("the connection goes on: %q", b)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("the connection goes on: %w", err)
	}
	return p.conn.Close()
}
