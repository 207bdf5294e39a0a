package prove

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// dialTimeout bounds the opening of a connection.
const dialTimeout = 10 * time.Second

// errDown is returned while no server is up, or when it changed meanwhile.
var errDown = errors.New("no server is up")

// socket is a WebSocket client. One goroutine reads; any may write.
type socket struct {
	life int
	conn net.Conn
	in   io.Reader
	mu   sync.Mutex // for writing
}

// open opens a WebSocket to a server that is up and stays so meanwhile: see Lives in the package's comment. It is closed
// when the context ends; release gives up that watch.
func (s *server) open(ctx context.Context, path string) (_ *socket, release func(), _ error) {
	life := s.book.Life()
	if life%2 == 1 {
		return nil, nil, errDown
	}
	dialer := ws.Dialer{Timeout: dialTimeout}
	conn, rest, _, err := dialer.Dial(ctx, "ws://"+s.addr+path)
	if err != nil {
		if ctx.Err() == nil {
			s.book.BrokenIn(life, "a WebSocket to %s cannot be opened: %v", path, err)
		}
		return nil, nil, err
	}
	if s.book.Life() != life {
		conn.Close()
		return nil, nil, errDown
	}
	k := &socket{life: life, conn: conn, in: bufio.NewReader(conn)}
	if rest != nil {
		k.in = rest // what came with the handshake, and then all else
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return k, func() { stop(); conn.Close() }, nil
}

// Read and Write are for the control frames that wsutil answers.
func (k *socket) Read(p []byte) (int, error) { return k.in.Read(p) }

// Write sends a whole frame.
func (k *socket) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conn.Write(p)
}

// hear reads the next message into m.
func (k *socket) hear(m any) error {
	text, err := wsutil.ReadServerText(k)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, m); err != nil {
		return fmt.Errorf("%w: %.300q: %w", errNonsense, text, err)
	}
	return nil
}

// errNonsense is returned for a message that is not what the wire has.
var errNonsense = errors.New("the server said what cannot be read")

// say sends a message.
func (k *socket) say(m any) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	frame, err := ws.CompileFrame(ws.MaskFrame(ws.NewTextFrame(text)))
	if err != nil {
		return err
	}
	_, err = k.Write(frame)
	return err
}
