package main

import "testing"

func TestFootprintOfAServer(t *testing.T) {
	target := startTestRelay(t, "")
	first, known, err := target.footprint(t.Context())
	if err != nil || !known || first.mallocs < 100 || first.bytes < 1000 || first.held < 10_000 {
		t.Fatalf("%+v, %v, %v", first, known, err)
	}
	second, known, err := target.footprint(t.Context())
	if err != nil || !known || second.mallocs <= first.mallocs || second.bytes <= first.bytes {
		t.Fatalf("%+v after %+v, %v, %v", second, first, known, err)
	}
	other := *target
	other.tells = false
	if _, known, err = other.footprint(t.Context()); known || err != nil {
		t.Errorf("of a server that does not tell: %v, %v", known, err)
	}
	other.tells, other.server = true, nil
	if _, known, err = other.footprint(t.Context()); known || err != nil {
		t.Errorf("of a server of somebody else's: %v, %v", known, err)
	}
}

func TestFootprintsAreRead(t *testing.T) {
	const good = "time=x level=INFO msg=runtime mallocs=12 frees=3 allocated_bytes=456 heap_bytes=70 stack_bytes=8 gc_pauses=1ms"
	if f, err := parseFootprint(good); err != nil || f != (footprint{12, 456, 78}) {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{"", "mallocs=x allocated_bytes=456 heap_bytes=70 stack_bytes=8", "mallocs=1 heap_bytes=70 stack_bytes=8"} {
		if f, err := parseFootprint(bad); err == nil {
			t.Errorf("%q is %+v", bad, f)
		}
	}
	var said tail
	said.Write([]byte("msg=statistics mallocs=1\n" + good + "\nmsg=runtime mallocs=13 x\nmore\n"))
	if n, line := said.runtime(); n != 2 || line != "msg=runtime mallocs=13 x" {
		t.Errorf("%d, %q", n, line)
	}
}
