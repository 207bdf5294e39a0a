package protocol_test

import (
	"testing"

	"workman/protocol"
)

// BenchmarkTemplate is the time it takes to see that a message is like the one before.
func BenchmarkTemplate(b *testing.B) {
	for _, c := range []struct{ name, endpoint, message string }{
		{"RunTask", "/websocket", runTaskMessage},
		{"SendResult", "/worker", sendResultMessage},
		{"GetTask", "/worker", getTaskMessage},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := newListener(b, c.endpoint)
			l.hear(c.message)
			base := []byte(c.message + "next message")
			b.SetBytes(int64(len(c.message)))
			b.ReportAllocs()
			for b.Loop() {
				if !protocol.Fits(l.front, l.session, base[:len(c.message)]) {
					b.Fatal("it is not expected")
				}
			}
		})
	}
}
