package protocol_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"workman/protocol"
)

// FuzzEachMember holds the taking apart of an object to the standard library's.
func FuzzEachMember(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":[1,{"b":2}],"c":"}"}`, "{\n\"a\\\"\\u0041\" :\t1.0e+2 , \"\":{\"a\":null} }\r\n", `{"a":1,"a":"\\\"","ä€":true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		at, err := protocol.ValidJSON(text)
		if err != nil || at.Of(text)[0] != '{' {
			return
		}
		in := json.NewDecoder(bytes.NewReader(text))
		if _, err := in.Token(); err != nil {
			t.Fatal(err)
		}
		for key, value := range protocol.EachMember(at.Of(text)) {
			name, err := in.Token()
			var want json.RawMessage
			if err == nil {
				err = in.Decode(&want)
			}
			got, isText := protocol.AppendUnescaped(nil, key)
			if err != nil || isText && string(got) != name || !bytes.Equal(value, want) {
				t.Fatalf("%q has the member %q: %s, and should have %q: %s (%v)", text, got, value, name, want, err)
			}
		}
		if in.More() {
			t.Errorf("%q has more members", text)
		}
	})
}
