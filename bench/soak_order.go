package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"strings"
)

// order is a task as a producer makes it: {"id":1,"do":"sum","size":0,"pad":…}.
// What a worker has to answer depends on do:
//
//	sum   {"id":…,"crc":…}: the checksum of the options, all bytes of them
//	echo  the options, byte for byte
//	grow  {"id":…,"pad":"…"}: with size bytes of padding
type order struct {
	id      uint64
	name    string
	options string
	timed   bool   // its latency counts
	want    uint32 // checksum of the result
	size    int    // and its length
}

// pads are values that must pass a server unchanged.
var pads = []string{`""`, `null`, `true`, `[1.0e+2 , 0.10, -0]`, `12345678901234567890.000000000000000000000000001`,
	`"\u00e9é\/\\\"\ud83d\ude00😀"`, `{"b":1, "a":[{"a":{}}], "é":"\u0000"}`, `"` + strings.Repeat("abcdefgh", 20) + `"`}

// filler is what large values are filled with: units of 8 bytes.
var filler = strings.Repeat(`aé\/\n`, 1<<17+1)

const fillerUnit = len(`aé\/\n`)

// fill is about size bytes of the inside of a JSON string.
func fill(size int) string { return filler[:min(size, len(filler))/fillerUnit*fillerUnit] }

// newOrder makes a task of a name. size is that of the larger payload, 0 for a
// small one.
func (l *load) newOrder(r *rand.Rand, name, do string, size int) order {
	o := order{id: l.book.newID(), name: name}
	pad := pads[r.IntN(len(pads))]
	if do != "grow" && size > 0 {
		pad = `"` + fill(size) + `"`
	}
	o.options = fmt.Sprintf(`{"id":%d,"do":"%s","size":%d,"pad":%s}`, o.id, do, size, pad)
	want := resultOf(o.id, do, size, []byte(o.options))
	o.want, o.size = crc32.ChecksumIEEE(want), len(want)
	return o
}

// resultOf is what a worker has to answer.
func resultOf(id uint64, do string, size int, options []byte) []byte {
	switch do {
	case "echo":
		return options
	case "grow":
		return fmt.Appendf(nil, `{"id":%d,"pad":"%s"}`, id, fill(size))
	}
	return fmt.Appendf(nil, `{"id":%d,"crc":%d}`, id, crc32.ChecksumIEEE(options))
}

// message is the order as a RunTask.
func (o order) message() string {
	return `{"action":"RunTask","name":"` + o.name + `","nonce":` + strconv.FormatUint(o.id, 10) + `,"options":` + o.options + `}`
}

// job is a task as a worker gets it.
type job struct {
	name, nonce string
	options     []byte
	id          uint64
	do          string
	size        int
}

// errJob is returned for what is no task of the soak.
var errJob = errors.New("a worker was sent what is no task of the soak")

// parseJob takes a task apart: {"name":"…","options":…,"nonce":"…"}.
func parseJob(message []byte) (j job, err error) {
	bad := func() (job, error) { return job{}, fmt.Errorf("%w: %.300q", errJob, message) }
	rest, ok := bytes.CutPrefix(message, []byte(`{"name":"`))
	name, rest, ok2 := bytes.Cut(rest, []byte(`","options":`))
	at := bytes.LastIndex(rest, []byte(`,"nonce":"`))
	if !ok || !ok2 || at < 0 {
		return bad()
	}
	nonce, ok := bytes.CutSuffix(rest[at+len(`,"nonce":"`):], []byte(`"}`))
	if !ok {
		return bad()
	}
	j = job{name: string(name), nonce: string(nonce), options: rest[:at]}
	head, _, ok := bytes.Cut(j.options, []byte(`,"pad":`))
	if _, err := fmt.Sscanf(strings.ReplaceAll(string(head), `"`, " "), "{ id :%d, do : %s , size :%d", &j.id, &j.do, &j.size); !ok || err != nil {
		return bad()
	}
	return j, nil
}

// reply is the SendResult that does the job.
func (j job) reply() string {
	return `{"action":"SendResult","nonce":"` + j.nonce + `","result":` + string(resultOf(j.id, j.do, j.size, j.options)) + `}`
}

// parseAnswer takes an answer apart: {"nonce":1,"result":…}.
func parseAnswer(message []byte) (id uint64, result []byte, ok bool) {
	rest, ok := bytes.CutPrefix(message, []byte(`{"nonce":`))
	number, result, ok2 := bytes.Cut(rest, []byte(`,"result":`))
	if !ok || !ok2 || !bytes.HasSuffix(result, []byte("}")) {
		return 0, nil, false
	}
	id, err := strconv.ParseUint(string(number), 10, 64)
	return id, result[:len(result)-1], err == nil
}

// refusal is how every error of the server begins.
const refusal = `{"error":"`
