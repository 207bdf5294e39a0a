package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// dialTimeout bounds a connect and a handshake.
const dialTimeout = 5 * time.Second

// socket is a connected, non-blocking socket and what the server already said.
type socket struct {
	fd   int
	said []byte
}

// dial connects to the server at addr and, unless path is empty, opens a
// WebSocket there.
func dial(addr, path string) (socket, error) {
	return connect(addr, func(conn net.Conn) (said []byte, err error) {
		if path == "" {
			return nil, nil
		}
		if said, err = handshake(conn, addr, path); err != nil {
			return nil, fmt.Errorf("opening a WebSocket at ws://%s%s: %w", addr, path, err)
		}
		return said, nil
	})
}

// connect connects to the server at addr, and lets greet talk to it before the
// socket no longer blocks. greet returns what was said and not taken.
func connect(addr string, greet func(net.Conn) (said []byte, err error)) (socket, error) {
	conn, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return socket{}, fmt.Errorf("connecting to the server: %w", err)
	}
	defer conn.Close()
	said, err := greet(conn)
	if err != nil {
		return socket{}, err
	}
	fd, err := detach(conn.(*net.TCPConn))
	if err != nil {
		return socket{}, fmt.Errorf("taking over the socket to %s: %w", addr, err)
	}
	return socket{fd, said}, nil
}

// handshake is the client's side of RFC 6455, section 4.1. It returns what the
// server sent behind its answer.
func handshake(conn net.Conn, addr, path string) (said []byte, err error) {
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, err
	}
	var random [16]byte
	binary.LittleEndian.PutUint64(random[:], rand.Uint64())
	key := base64.StdEncoding.EncodeToString(random[:])
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n", path, addr, key)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 300)) // only for the message
		return nil, fmt.Errorf("the server answered %s, not 101: %q", response.Status, body)
	}
	if got, want := response.Header.Get("Sec-WebSocket-Accept"), acceptKey(key); got != want {
		return nil, fmt.Errorf("the server's Sec-WebSocket-Accept is %q, not %q", got, want)
	}
	said, err = r.Peek(r.Buffered())
	return append([]byte(nil), said...), err
}

// acceptKey is the answer to a Sec-WebSocket-Key.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
