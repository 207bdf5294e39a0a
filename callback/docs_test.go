package callback_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"workman/callback"
)

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/callbacks.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is the first block of code of docs/callbacks.md in a language.
func block(t *testing.T, language string) string {
	t.Helper()
	m := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$").FindStringSubmatch(page(t))
	if m == nil {
		t.Fatalf("docs/callbacks.md has no block of %s", language)
	}
	return m[1]
}

// judge reads what was sent from its standard input.
const judge = `
import json, sys
for c in json.load(sys.stdin):
    try:
        check(c["secret"], c["headers"], base64.b64decode(c["body"]))
        print("good")
    except ValueError as e:
        print(e)
`

// TestPageChecksSignatures runs the page's Python over what a pool has sent, as it was and spoiled.
func TestPageChecksSignatures(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	one, other := "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)), "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 24))
	s, got := receiver(t, statuses(200))
	b := newBook()
	c := config(b)
	for _, text := range []string{one, other} {
		secret, err := callback.ParseSecret(text)
		if err != nil {
			t.Fatal(err)
		}
		c.Secrets = append(c.Secrets, secret)
	}
	start(t, c).Add(b.write(1, s.URL))
	r := <-got
	sent := func(secret, from, to string, body []byte) map[string]any {
		headers := map[string]string{}
		for name, values := range r.Header {
			headers[strings.ToLower(name)] = strings.ReplaceAll(values[0], from, to)
		}
		return map[string]any{"secret": secret, "headers": headers, "body": body}
	}
	old := callback.Sign(c.Secrets, wanted, "1614265330", r.body)
	var in strings.Builder
	cases := []map[string]any{
		sent(one, "", "", r.body),
		sent(other, "", "", r.body),
		sent("whsec_"+base64.StdEncoding.EncodeToString([]byte("what is this secret for?")), "", "", r.body),
		sent(one, "", "", append(r.body, ' ')),
		sent(one, "-000000000001", "-000000000002", r.body),
		{"secret": one, "body": r.body, "headers": map[string]string{"webhook-id": wanted, "webhook-timestamp": "1614265330", "webhook-signature": old}},
	}
	if err := json.NewEncoder(&in).Encode(cases); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", block(t, "python")+judge)
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.CombinedOutput()
	bad := "signed with another secret, or changed on the way\n"
	if want := "good\ngood\n" + bad + bad + bad + "too old, or from the future\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
}

// TestPageShowsWhatIsSent: the page's example has the fields of a real call, and is signed with the secret it names.
func TestPageShowsWhatIsSent(t *testing.T) {
	head, body, _ := strings.Cut(block(t, "http"), "\n\n")
	field := regexp.MustCompile(`(?m)^(webhook-\S+): (.*)$`)
	said := map[string]string{}
	for _, m := range field.FindAllStringSubmatch(head, -1) {
		said[m[1]] = m[2]
	}
	secret, err := callback.ParseSecret(regexp.MustCompile("`(whsec_.{20,}?)`").FindStringSubmatch(page(t))[1])
	if err != nil {
		t.Fatal(err)
	}
	want := callback.Sign([][]byte{secret}, said["webhook-id"], said["webhook-timestamp"], []byte(strings.TrimSuffix(body, "\n")))
	if said["webhook-signature"] != want {
		t.Errorf("the example is signed %q, and should be %q", said["webhook-signature"], want)
	}
}

// TestPageHasTheDefaults: the numbers in the page are those of DefaultConfig.
func TestPageHasTheDefaults(t *testing.T) {
	text := strings.Join(strings.Fields(page(t)), " ")
	c := callback.DefaultConfig()
	if c.FirstDelay != time.Second || c.MaxDelay != time.Hour || c.Timeout != 15*time.Second || c.Attempts != 10 ||
		c.Workers != 16 || c.PerHost != 4 || c.MaxWaiting != 65536 {
		t.Errorf("the defaults have changed, and the page has not: %+v", c)
	}
	for _, said := range []string{"within 15 seconds", "1 s after the first call", "up to 1 h", "After 10 calls", "At most 16 calls", "4 to one host", "65,536 runs"} {
		if !strings.Contains(text, said) {
			t.Errorf("the page does not say %q", said)
		}
	}
}
