package dispatch_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"workman/dispatch"
)

// storedRuns say ever more.
func storedRuns() map[string]dispatch.StoredRun {
	usual := dispatch.StoredRun{Policy: dispatch.DefaultPolicy(), Created: 1 << 40, Rank: 4, Name: []byte("mail"), Body: []byte(`{"to":1}`)}
	all := map[string]dispatch.StoredRun{"usual": usual}
	change := func(name string, f func(r *dispatch.StoredRun)) {
		r := usual
		f(&r)
		all[name] = r
	}
	change("no options", func(r *dispatch.StoredRun) { r.Body = nil })
	change("first", func(r *dispatch.StoredRun) { r.Rank = 0 })
	change("last", func(r *dispatch.StoredRun) { r.Rank = 9 })
	change("due", func(r *dispatch.StoredRun) { r.Due = 1<<40 + 1 })
	change("deadline", func(r *dispatch.StoredRun) { r.Deadline = 1<<40 + 2 })
	change("key", func(r *dispatch.StoredRun) { r.Key, r.BodyHash = []byte("k"), [16]byte{1, 2} })
	change("strings", func(r *dispatch.StoredRun) {
		r.Traceparent, r.Callback, r.Labels = []byte("00-a"), []byte("https://a.example/"), []byte("a:b\n")
	})
	for i := range reflect.TypeFor[dispatch.Policy]().NumField() {
		change("policy "+reflect.TypeFor[dispatch.Policy]().Field(i).Name, func(r *dispatch.StoredRun) {
			reflect.ValueOf(&r.Policy).Elem().Field(i).SetInt(77)
		})
	}
	return all
}

// TestStoredRun: what is encoded is what comes back; a usual run says little; a value that is cut within what is not the
// options, of another form, or with a mark that is none is refused.
func TestStoredRun(t *testing.T) {
	for name, r := range storedRuns() {
		b := r.Append(nil)
		got, err := dispatch.DecodeRun(b)
		if err != nil || !same(got, r) {
			t.Errorf("%s: %+v became %+v, %v", name, r, got, err)
		}
		for n := range len(b) - len(r.Body) {
			if _, err := dispatch.DecodeRun(b[:n]); !errors.Is(err, dispatch.ErrStored) {
				t.Errorf("%s: %d bytes of %d: %v", name, n, len(b), err)
			}
		}
		for at, values := range [][]byte{{0, 1, 3}, {0x80 | b[1], 10, 15}} {
			for _, v := range values {
				other := bytes.Clone(b)
				other[at] = v
				if _, err := dispatch.DecodeRun(other); !errors.Is(err, dispatch.ErrStored) {
					t.Errorf("%s: byte %d is %#x: %v", name, at, v, err)
				}
			}
		}
		if beside := len(b) - len(r.Body) - len(r.Name); name == "usual" && beside != 9 {
			t.Errorf("a usual run takes %d bytes beside its name and options, want 9", beside)
		}
	}
}

// same compares runs; an empty slice is as good as none.
func same(a, b dispatch.StoredRun) bool {
	for _, r := range []*dispatch.StoredRun{&a, &b} {
		for _, s := range []*[]byte{&r.Key, &r.Traceparent, &r.Callback, &r.Labels} {
			*s = append([]byte{}, *s...)
		}
	}
	return reflect.DeepEqual(a, b)
}
