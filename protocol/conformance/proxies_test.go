package conformance_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// proxy is a program that stands in front of a backend, set up as its manual says, with connections to the backend kept
// and used for whoever comes next: that is what makes smuggling worth while.
type proxy struct {
	name, program string
	// start runs it on a listening socket in front of a backend.
	start func(t *testing.T, path string, front *net.TCPListener, back string)
}

var proxies = []proxy{
	{"haproxy", "haproxy", haproxy("")},
	{"haproxy that lets much pass", "haproxy", haproxy("option accept-invalid-http-request")},
	{"nginx", "nginx", nginx("proxy_request_buffering on;")},
	{"nginx that passes bodies as they come", "nginx", nginx("proxy_request_buffering off;")},
	{"nginx that lets much pass", "nginx", nginx("proxy_request_buffering off; ignore_invalid_headers off; underscores_in_headers on;")},
}

// run starts the proxy and returns its address.
func (p proxy) run(t *testing.T, back string) string {
	t.Helper()
	path := find(t, p.program)
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	p.start(t, path, ln, back)
	return ln.Addr().String()
}

// find looks for a program of Debian's, which a user who is not root has no path to.
func find(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		if os.Getenv("WORKMAN_REQUIRE") == "all" {
			t.Fatalf("this needs %s (Debian: %s)", name, name)
		}
		t.Skipf("this needs %s (Debian: %s)", name, name)
	}
	return path
}

// inherit gives a process a socket that listens already, as its descriptor 3: no port is free only until it is taken, and
// whoever connects before the process is ready just waits.
func inherit(t *testing.T, cmd *exec.Cmd, ln *net.TCPListener) {
	t.Helper()
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	cmd.ExtraFiles = []*os.File{f}
}

func config(t *testing.T, name, text string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func haproxy(option string) func(*testing.T, string, *net.TCPListener, string) {
	return func(t *testing.T, path string, front *net.TCPListener, back string) {
		_, file := config(t, "haproxy.cfg", fmt.Sprintf(`
global
	nbthread 1
	maxconn 200
defaults
	mode http
	timeout connect 10s
	timeout client 10s
	timeout server 10s
	timeout tunnel 10s
	http-reuse always
frontend front
	bind fd@3
	%s
	http-request set-header X-Stamp %s
	default_backend back
backend back
	server one %s
`, option, stamp, back))
		cmd := exec.Command(path, "-db", "-f", file)
		inherit(t, cmd, front)
		begin(t, cmd, os.Kill)
	}
}

func nginx(options string) func(*testing.T, string, *net.TCPListener, string) {
	return func(t *testing.T, path string, front *net.TCPListener, back string) {
		temp := ""
		dir := t.TempDir()
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			temp += fmt.Sprintf("\t%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
		}
		_, file := config(t, "nginx.conf", strings.NewReplacer("DIR", dir, "TEMP", temp, "FRONT", front.Addr().String(),
			"BACK", back, "OPTIONS", options, "STAMP", stamp).Replace(`
daemon off;
user root; # if it is root that starts it; else this means nothing
worker_processes 1;
pid DIR/pid;
error_log DIR/error.log;
events { worker_connections 200; }
http {
	access_log off;
TEMP	map $http_upgrade $connection_upgrade {
		default upgrade;
		""      "";
	}
	upstream back {
		server BACK;
		keepalive 8;
		keepalive_requests 100000;
	}
	server {
		listen FRONT;
		OPTIONS
		location / {
			proxy_pass http://back;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_set_header X-Stamp STAMP;
		}
	}
}
`))
		cmd := exec.Command(path, "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", file)
		cmd.Env = append(os.Environ(), "NGINX=3;") // how it hands sockets to its successor when it is upgraded
		inherit(t, cmd, front)
		begin(t, cmd, syscall.SIGTERM) // its worker is a process of its own, which it takes along
	}
}
