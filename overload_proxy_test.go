package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const domain = "tasks.example.com"

// certificate writes a certificate and its key, in one file and in two, and returns what trusts it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{domain}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for name, text := range map[string][]byte{"tasks.crt": crt, "tasks.key": private, "tasks.pem": append(crt[:len(crt):len(crt)], private...), "tasks.htpasswd": []byte("producer:{PLAIN}CHANGE-ME\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(crt)
	return pool
}

// block is a block of code of docs/security.md.
func block(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "```"+language+"\n")
	text, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatalf("docs/security.md has no example for %s", language)
	}
	return text
}

// TestA20BehindProxies runs the examples of docs/security.md as they stand there, but for ports and paths: a stranger is
// turned away, a producer and a worker with a password are not, and workman sees neither the password nor another name.
func TestA20BehindProxies(t *testing.T) {
	for _, c := range []struct {
		name, listen, wrap string
		args               []string
	}{
		{"nginx", "listen 443", "daemon off; pid DIR/pid; error_log stderr; events {} http { access_log off; client_body_temp_path DIR/b; proxy_temp_path DIR/p;" +
			" fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;\n%s}", []string{"-p", "DIR", "-c"}},
		{"haproxy", "bind :443", "%s", []string{"-db", "-f"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			program, err := exec.LookPath("/usr/sbin/" + c.name)
			if err != nil {
				require(t, "this needs "+c.name+" (Debian: "+c.name+")")
			}
			p := launch(t, "WORKMAN_HOSTS="+domain)
			p.drain()
			dir, err := os.MkdirTemp("", "workman-proxy") // nginx's workers are another user
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			_ = os.Chmod(dir, 0o755)
			trusted := certificate(t, dir)
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := free.Addr().String()
			_ = free.Close()
			text := strings.NewReplacer("/etc/ssl/", dir+"/", "/etc/nginx/", dir+"/", "/etc/haproxy/", dir+"/", "127.0.0.1:9999", p.addr,
				c.listen, strings.Fields(c.listen)[0]+" "+addr, "DIR", dir).Replace(fmt.Sprintf(c.wrap, block(t, c.name)))
			file := filepath.Join(dir, "conf")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			args := append([]string(nil), c.args...)
			for i, a := range args {
				args[i] = strings.ReplaceAll(a, "DIR", dir)
			}
			cmd := exec.Command(program, append(args, file)...)
			cmd.Stderr = t.Output()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Signal(os.Interrupt)
				_ = cmd.Wait()
			})
			behind(t, addr, trusted)
		})
	}
}

// behind does a task through a proxy.
func behind(t *testing.T, addr string, trusted *x509.CertPool) {
	t.Helper()
	dial := func() *tls.Conn {
		var c *tls.Conn
		waitFor(t, "the proxy", func() bool {
			var err error
			c, err = tls.Dial("tcp", addr, &tls.Config{RootCAs: trusted, ServerName: domain, MinVersion: tls.VersionTLS12})
			return err == nil
		})
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	request := func(head string) (*http.Response, string, *tls.Conn, *bufio.Reader) {
		c := dial()
		_, _ = io.WriteString(c, head)
		in := bufio.NewReader(c)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == 101 {
			return res, "", c, in
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body), c, in
	}
	const host, known = "Host: " + domain + "\r\n", "Authorization: Basic cHJvZHVjZXI6Q0hBTkdFLU1F\r\n" // producer:CHANGE-ME
	for _, path := range []string{"/tasks", "/workers", "/worker"} {
		if res, body, _, _ := request("GET " + path + " HTTP/1.1\r\n" + host + "\r\n"); res.StatusCode != 401 {
			t.Errorf("a stranger asks for %s: %v %s", path, res.Status, body)
		}
	}
	if res, _, _, _ := request("GET /worker HTTP/1.1\r\n" + host + upgrade + "\r\n"); res.StatusCode != 401 {
		t.Errorf("a stranger wants to work: %v", res.Status)
	}
	if res, body, _, _ := request("GET /worker HTTP/1.1\r\n" + host + known + "Origin: https://evil.example\r\n" + upgrade + "\r\n"); res.StatusCode != 403 {
		t.Errorf("another's page wants to work: %v %s", res.Status, body)
	}
	res, body, conn, in := request("GET /worker HTTP/1.1\r\n" + host + known + "Origin: https://" + domain + "\r\n" + upgrade + "\r\n")
	if res.StatusCode != 101 {
		t.Fatalf("a worker: %v %s", res.Status, body)
	}
	w := &socket{t: t, conn: conn, in: in}
	w.say(`{"action":"RegisterTask","name":"work"}`)
	w.say(`{"action":"GetTask"}`)
	done := make(chan string, 1)
	go func() {
		c := dial()
		_, _ = io.WriteString(c, "POST /task/work HTTP/1.1\r\n"+host+known+"Content-Length: 1\r\n\r\n7")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			done <- err.Error()
			return
		}
		text, _ := io.ReadAll(res.Body)
		done <- res.Status + " " + string(text)
	}()
	task := w.hear()
	if !strings.HasPrefix(task, `{"name":"work","options":7,`) {
		t.Errorf("the worker got %s", task)
	}
	w.say(`{"action":"SendResult","nonce":"` + tokenOf(t, task) + `","result":8}`)
	if got := <-done; got != "200 OK 8" {
		t.Errorf("the producer got %s", got)
	}
}
