package protocol_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/goccy/go-json"

	"workman/dispatch"
	"workman/protocol"
)

// The messages of the S2 benchmark, byte for byte.
const (
	runTaskMessage    = `{"action":"RunTask","name":"work","nonce":"00000001","options":{"a":0.1234567890123456,"b":0.6543210987654321}}`
	sendResultMessage = `{"action":"SendResult","nonce":"abcdefghijklmnopabcdefgh","result":0.7777777777777777}`
	getTaskMessage    = `{"action":"GetTask"}`
	combinedMessage   = `{"action":"SendResult","nonce":"abcdefghijklmnopabcdefgh","result":0.7777777777777777,"credit":1}` // the last two in one
)

func BenchmarkDecodeMessage(b *testing.B) {
	for _, c := range []struct{ name, message, behind string }{
		{"RunTask", runTaskMessage, "next message"},
		{"SendResult", sendResultMessage, "next message"},
		{"GetTask", getTaskMessage, "next message"},
		{"SendResultAndCredit", combinedMessage, "next message"},
		{"RunTaskAtTheEnd", runTaskMessage, ""},
		{"GetTaskAtTheEnd", getTaskMessage, ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			base := []byte(c.message + c.behind)
			base = base[:len(c.message):len(base)]
			var m protocol.Message
			b.SetBytes(int64(len(c.message)))
			b.ReportAllocs()
			for b.Loop() {
				if err := protocol.DecodeMessage(base, dispatch.Span{Len: uint32(len(c.message))}, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGoJSON is the same with github.com/goccy/go-json, as one would use it: what it costs says why the path of a
// task has a decoder of its own. It checks less: not for doubled keys, nor for UTF-8.
func BenchmarkGoJSON(b *testing.B) {
	for name, message := range map[string]string{"RunTask": runTaskMessage, "SendResult": sendResultMessage, "GetTask": getTaskMessage} {
		b.Run(name, func(b *testing.B) {
			text := []byte(message)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var m struct {
					Action  string          `json:"action"`
					Name    string          `json:"name"`
					Nonce   json.RawMessage `json:"nonce"`
					Options json.RawMessage `json:"options"`
					Result  json.RawMessage `json:"result"`
				}
				if err := json.Unmarshal(text, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkValidJSON(b *testing.B) {
	dense := `[` + strings.Repeat(`{"id":12345,"ok":true,"tags":["a","bc",null],"at":{"x":-1.5e3,"y":0.25}},`, 900) + `0]`
	indented := "[" + strings.Repeat("\n    {\n        \"id\": 12345,\n        \"name\": \"Müller\"\n    },", 1000) + "0]"
	for _, c := range []struct{ name, json string }{
		{"string64K", `"` + strings.Repeat("0123456789abcdef", 4096) + `"`},
		{"cyrillic64K", `"` + strings.Repeat("слово ", 6000) + `"`},
		{"numbers64K", `[` + strings.Repeat("0.6543210987654321,", 3450) + `0]`},
		{"dense64K", dense},
		{"indented64K", indented},
	} {
		b.Run(c.name, func(b *testing.B) {
			text := []byte(c.json)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := protocol.ValidJSON(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendQuoted(b *testing.B) {
	s := bytes.Repeat([]byte("a name that is long enough; "), 4)
	dst := make([]byte, 0, 256)
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		dst = protocol.AppendQuoted(dst[:0], s)
	}
}
