package protocol_test

import (
	"testing"

	"workman/dispatch"
	"workman/protocol"
)

// BenchmarkEncode is the message of one effect.
func BenchmarkEncode(b *testing.B) {
	for name, c := range map[string]struct {
		endpoint string
		effect   dispatch.Effect
	}{
		"HandOut": {"/worker", dispatch.Effect{Kind: dispatch.HandOut, To: 1, Name: []byte("work"),
			Body: []byte(`{"a":0.1234567890123456,"b":0.6543210987654321}`), Token: dispatch.Token{Slot: 1, Secret: 2}}},
		"Ticket": {"/worker after Hello", dispatch.Effect{Kind: dispatch.HandOut, To: 1, Name: []byte("work"), Nonce: (&dispatch.Ticket{Attempt: 1, Fence: 1<<40 + 1}).Append(nil),
			Body: []byte(`{"a":0.1234567890123456,"b":0.6543210987654321}`), Token: dispatch.Token{Slot: 1, Secret: 2}}},
		"Result": {"/websocket", dispatch.Effect{Kind: dispatch.Result, To: 1, Nonce: []byte(`"00000001"`),
			Body: []byte(`0.7777777777777777`)}},
	} {
		b.Run(name, func(b *testing.B) {
			l := newListener(b, c.endpoint)
			out := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				l.session.Out = out
				protocol.Encode(l.session, &c.effect)
			}
			if len(l.session.Out) < 30 {
				b.Fatalf("it is %q", l.session.Out)
			}
		})
	}
}
