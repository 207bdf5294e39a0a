package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// The kinds of payloads.
const (
	textPayload = "text" // one long string
	jsonPayload = "json" // dense JSON: numbers, short keys, short strings, some levels deep
)

// minPayload and maxPayload bound a payload's size in bytes. A frame with the
// largest must fit a loop's buffer.
const (
	minPayload = 64
	maxPayload = readBuffer - 4096
)

// payload is what options carry in a scenario. The worker gives it back as the
// result. The zero payload is two numbers, and the result is their sum.
type payload struct {
	Kind string `json:"kind,omitempty"`
	Size int    `json:"bytes,omitempty"`
}

// template is a payload as JSON, with some digits that differ from task to
// task: at its start, in its middle and near its end.
type template struct {
	text []byte
	at   []int // where the digits are
}

// digitsGap holds the place of digits while a template is made.
const digitsGap = "################"

// newTemplate makes the payload. It is the same each time.
func newTemplate(p payload) *template {
	var text []byte
	switch p.Kind {
	case textPayload:
		text = longText(p.Size)
	case jsonPayload:
		text = denseJSON(p.Size)
	default:
		panic(fmt.Sprintf("bench: there is no payload %q", p.Kind)) // scenarios are ours
	}
	t := &template{text: text}
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(digitsGap))
		if i < 0 {
			return t
		}
		t.at = append(t.at, at+i)
		at += i + len(digitsGap)
	}
}

// longText is one string of so many bytes, quotes included.
func longText(size int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 .,;:-_()"
	r := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, size)
	for i := range text {
		text[i] = letters[r.IntN(len(letters))]
	}
	text[0], text[size-1] = '"', '"'
	copy(text[1:], digitsGap)
	if size >= 5*len(digitsGap) {
		copy(text[size/2:], digitsGap)
	}
	copy(text[size-1-len(digitsGap):], digitsGap)
	return text
}

// denseJSON is an object of so many bytes: records as a service keeps them.
func denseJSON(size int) []byte {
	const head, middle, pad, end = `{"id":"` + digitsGap + `","r":[`, `{"id":"` + digitsGap + `"}`, `],"p":"`, `","z":"` + digitsGap + `"}`
	r := rand.New(rand.NewPCG(3, 4))
	text := []byte(head)
	for half := false; ; {
		row := appendRecord(nil, r)
		if !half && len(text) > size/2 {
			row, half = []byte(middle), true
		}
		if len(text)+1+len(row)+len(pad)+len(end) > size {
			break
		}
		if text[len(text)-1] != '[' {
			text = append(text, ',')
		}
		text = append(text, row...)
	}
	text = append(text, pad...)
	text = append(text, bytes.Repeat([]byte("x"), size-len(text)-len(end))...)
	return append(text, end...)
}

// appendRecord appends one row of dense JSON, of some 120 bytes.
func appendRecord(b []byte, r *rand.Rand) []byte {
	b = append(b, `{"k":`...)
	b = strconv.AppendInt(b, r.Int64N(1e6), 10)
	b = append(b, `,"x":[`...)
	for i := range 4 {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(r.Int64N(2e6)-1e6)/1000, 'f', -1, 64)
	}
	b = append(b, `],"in":{"ok":`...)
	b = strconv.AppendBool(b, r.IntN(2) == 0)
	b = append(b, `,"no":null,"at":{"lat":`...)
	b = strconv.AppendFloat(b, float64(r.Int64N(1.8e8)-9e7)/1e6, 'f', -1, 64)
	b = append(b, `,"tag":["a`...)
	b = strconv.AppendInt(b, r.Int64N(100), 10)
	return append(b, `","b"]}}}`...)
}

// fill writes the digits at their places in a copy of the template, which lies
// at an offset of a masked payload (mask 0: it is not masked).
func (t *template) fill(b []byte, d digits, m mask, offset int) {
	for _, at := range t.at {
		d.put(b[at:], m.at(offset+at))
	}
}

// read is the digits of a text that is the template but for them; ok is false
// if it is not. It compares every byte.
func (t *template) read(text []byte) (d digits, ok bool) {
	if len(text) != len(t.text) {
		return d, false
	}
	d = getDigits(text[t.at[0]:])
	from := 0
	for _, at := range t.at {
		if getDigits(text[at:]) != d || !bytes.Equal(text[from:at], t.text[from:at]) {
			return d, false
		}
		from = at + digitsLen
	}
	return d, bytes.Equal(text[from:], t.text[from:])
}

// bytesPerTask is how many bytes of options and results a task of a scenario
// brings to the server.
func (sc scenario) bytesPerTask() int {
	if sc.Payload.Size > 0 {
		return 2 * sc.Payload.Size
	}
	if sc.Kind == durableKind {
		return bodyLen
	}
	return bodyLen + len("0.") + digitsLen
}
