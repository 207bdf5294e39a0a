package protocol_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"workman/dispatch"
	"workman/protocol"
)

const (
	textBefore = `\"behind the last message" }` // what surrounds a message in the buffer
	textBehind = `"}]}{"action":"GetTask"}`
)

// decode puts a message into a buffer and decodes it there.
func decodeIn(message string) (base []byte, m protocol.Message, err error) {
	base = []byte(textBefore + message + textBehind)
	err = protocol.DecodeMessage(base, dispatch.Span{Off: uint32(len(textBefore)), Len: uint32(len(message))}, &m)
	return base, m, err
}

// show writes down a message as the golden vectors below do: what it has, in a fixed order.
func showMessage(base []byte, m protocol.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", m.Action)
	for _, f := range []struct {
		has  protocol.Field
		span dispatch.Span
	}{
		{protocol.HasAction, m.ActionText}, {protocol.HasName, m.Name}, {protocol.HasWhen, m.When}, {protocol.HasID, m.ID},
		{protocol.HasNonce, m.Nonce}, {protocol.HasOptions, m.Options}, {protocol.HasResult, m.Result},
	} {
		if m.Has&f.has != 0 {
			fmt.Fprintf(&b, " %v=%s", f.has, f.span.Of(base))
		} else if f.span != (dispatch.Span{}) {
			fmt.Fprintf(&b, " %v though absent=%s", f.has, f.span.Of(base))
		}
	}
	if m.NonceText != (dispatch.Span{}) {
		fmt.Fprintf(&b, " text=%s escaped=%v", m.NonceText.Of(base), m.NonceEscaped)
	}
	return b.String()
}

func TestDecodeMessage(t *testing.T) {
	for _, c := range []struct{ message, want string }{
		{runTaskMessage, `3 action="RunTask" name=work nonce="00000001" options={"a":0.1234567890123456,"b":0.6543210987654321} text=00000001 escaped=false`},
		{sendResultMessage, `8 action="SendResult" nonce="abcdefghijklmnopabcdefgh" result=0.7777777777777777 text=abcdefghijklmnopabcdefgh escaped=false`},
		{getTaskMessage, `7 action="GetTask"`},
		{`{}`, `0`},
		{" \t\r\n{ \t\r\n} \t\r\n", `0`},
		{`{"id":"1a207624f2c.26e"}`, `0 id=1a207624f2c.26e`},
		{`{"action":"GetTasks"}`, `2 action="GetTasks"`},
		{`{"action":"ScheduleTask","when":"2026-01-01T00:00:00Z","name":"n"}`, `4 action="ScheduleTask" name=n when=2026-01-01T00:00:00Z`},
		{`{"action":"UnscheduleTask","id":""}`, `5 action="UnscheduleTask" id=`},
		{`{"action":"RegisterTask","name":"a name of more than eight bytes"}`, `6 action="RegisterTask" name=a name of more than eight bytes`},
		{`{"action":"Bogus"}`, `1 action="Bogus"`},
		{`{"action":""}`, `1 action=""`},
		{`{"action":"runtask"}`, `1 action="runtask"`},
		{`{"action":"RunTaskX"}`, `1 action="RunTaskX"`},
		{`{"action":"R\u0075nT\u0061sk"}`, `3 action="R\u0075nT\u0061sk"`},
		{`{"action":"\u0055\u006e\u0073\u0063\u0068\u0065\u0064\u0075\u006c\u0065\u0054\u0061\u0073\u006b"}`,
			`5 action="\u0055\u006e\u0073\u0063\u0068\u0065\u0064\u0075\u006c\u0065\u0054\u0061\u0073\u006b"`},
		{`{"action":"\ud800\u0055\u006e\u0073\u0063\u0068\u0065\u0064\u0075\u006c\u0065\u0054\u0061\u0073\u006b"}`,
			`1 action="\ud800\u0055\u006e\u0073\u0063\u0068\u0065\u0064\u0075\u006c\u0065\u0054\u0061\u0073\u006b"`},
		// Keys: any order, escaped, in another case, unknown.
		{`{"options":1,"nonce":2,"name":"n","action":"RunTask"}`, `3 action="RunTask" name=n nonce=2 options=1`},
		{`{"\u0061ction":"GetTask","\u006e\u0061\u006d\u0065":"n"}`, `7 action="GetTask" name=n`},
		{`{"Action":"GetTask","NAME":1,"Id":[]}`, `0`},
		{`{"actio":1,"actionNames":2,"name ":3,"nam":4,"i":5,"":6,"nonce\u0000":7,"\ud800":8,"a very long key":9}`, `0`},
		{`{"a":{"name":"inside"},"b":["}",{"id":"\"}"}],"name":"n"}`, `0 name=n`},
		// Values are carried as they are.
		{`{"nonce":null,"options": { "b" : [ 1 ] ,"a":"\u0061\/" } ,"result":12345678901234567890}`,
			`0 nonce=null options={ "b" : [ 1 ] ,"a":"\u0061\/" } result=12345678901234567890`},
		{`{"nonce":{"a":[]},"options":"\ud800","result":""}`, `0 nonce={"a":[]} options="\ud800" result=""`},
		{`{"nonce":"","result":{"a":1,"a":2}}`, `0 nonce="" result={"a":1,"a":2} text= escaped=false`},
		{`{"nonce":"\ud83d\ude00"}`, `0 nonce="\ud83d\ude00" text=\ud83d\ude00 escaped=true`},
		{"{\"nonce\":\"\u00e9\"}", "0 nonce=\"\u00e9\" text=\u00e9 escaped=false"},
		// Text is decoded.
		{`{"name":"\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00 12345678","id":"\u0031","when":"\u0032"}`,
			"0 name=\"\\/\b\f\n\r\t\u00e9\u20ac\U0001f600 12345678 when=2 id=1"},
		{"{\"name\":\"\u0441\u043b\u043e\\u0432\u043e\"}", "0 name=\u0441\u043b\u043e\u0432\u043e"},
		{"{\"name\":\"\u0441\u043b\u043e\u0432\u043e\"}", "0 name=\u0441\u043b\u043e\u0432\u043e"},
		{`{"name":"1234567\n"}`, "0 name=1234567\n"},
		// The limits.
		{`{"options":` + nestedJSON(`[`, ``, `]`, 64) + `}`, `0 options=` + nestedJSON(`[`, ``, `]`, 64)},
		{`{` + unknownKeys(32) + `,"name":"n"}`, `0 name=n`},
	} {
		base, m, err := decodeIn(c.message)
		if err != nil {
			t.Errorf("%s: %v", c.message, err)
		} else if got := showMessage(base, m); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.message, got, c.want)
		}
		checkMessage(t, []byte(c.message))
	}
}

func unknownKeys(n int) string {
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf(`"unknown%d":%d`, i, i))
	}
	return strings.Join(keys, ",")
}

func TestDecodeMessageRefuses(t *testing.T) {
	const notObject = `a message is a JSON object such as {"action":"GetTasks"}`
	for _, c := range []struct{ message, want string }{
		{``, `not JSON: empty`},
		{` `, `not JSON: empty`},
		{`null`, notObject},
		{` [] `, notObject},
		{`1`, notObject},
		{`"{}"`, notObject},
		{`[1,2`, `not JSON: unexpected end at byte 4`},
		{`nil`, `not JSON: unexpected 'i' at byte 1`},
		{`{`, `not JSON: unexpected end at byte 1`},
		{`{"action"`, `not JSON: unexpected end at byte 9`},
		{`{"actio`, `not JSON: unexpected end at byte 7`},
		{`{"action":`, `not JSON: unexpected end at byte 10`},
		{`{"action":"GetTask`, `not JSON: unexpected end at byte 18`},
		{`{"action":"GetTask"`, `not JSON: unexpected end at byte 19`},
		{`{"action":"GetTask",`, `not JSON: unexpected end at byte 20`},
		{`{"action":"GetTask",}`, `not JSON: unexpected '}' at byte 20`},
		{`{"action":"GetTask"]`, `not JSON: unexpected ']' at byte 19`},
		{`{"action":"GetTask"}}`, `not JSON: unexpected '}' at byte 20`},
		{`{} {}`, `not JSON: unexpected '{' at byte 3`},
		{`{"action" "GetTask"}`, `not JSON: unexpected '"' at byte 10`},
		{`{action:1}`, `not JSON: unexpected 'a' at byte 1`},
		{`{,}`, `not JSON: unexpected ',' at byte 1`},
		{`{"x":[1,}`, `not JSON: unexpected '}' at byte 8`},
		{"{\"x\xff\":1}", `not JSON: invalid UTF-8 in a string at byte 3`},
		{"{\"name\":\"work\xff\"}", `not JSON: invalid UTF-8 in a string at byte 13`},
		{"{\"name\":\"wo\nrk\"}", `not JSON: unescaped control character '\n' in a string at byte 11`},
		{`{"result":` + nestedJSON(`[`, ``, `]`, 65) + `}`, `not JSON: nested deeper than 64 at byte 74`},
		{`{"unknown":` + nestedJSON(`[`, ``, `]`, 65) + `}`, `not JSON: nested deeper than 64 at byte 75`},
		{nestedJSON(`[`, ``, `]`, 65), `not JSON: nested deeper than 64 at byte 64`},
		{`{"name":1}`, `"name" must be a string`},
		{`{"name":null}`, `"name" must be a string`},
		{`{"when":{"a":"b"}}`, `"when" must be a string`},
		{`{"id":[]}`, `"id" must be a string`},
		{`{"action":true}`, `"action" must be a string`},
		{`{"action":"GetTask","action":"GetTask"}`, `"action" is given twice`},
		{`{"name":"a","nam\u0065":"b"}`, `"name" is given twice`},
		{`{"action":"a","action":"b","name":"a","name":"b"}`, `"action" is given twice`},
		{`{"id":1,"when":2}`, `"when" must be a string`},
		{`{"when":1,"id":2}`, `"when" must be a string`},
		{`{"`, `not JSON: unexpected end at byte 2`},
		{`{"options":1,"options":1}`, `"options" is given twice`},
		{`{"nonce":1,"nonce":1}`, `"nonce" is given twice`},
		{`{"result":1,"result":1}`, `"result" is given twice`},
		{`{"when":"1","when":"1"}`, `"when" is given twice`},
		{`{"id":"1","id":1}`, `"id" is given twice`},
		{`{"x":1,"y":2,"name":"\u0022","x":3}`, `"x" is given twice`},
		{"{\"\u00e9\":1,\"\\u00E9\":2}", `"\\u00E9" is given twice`},
		{"{\"\\ud83d\\uDE00\":1,\"\U0001f600\":2}", `"\U0001f600" is given twice`},
		{`{"\ud800":1,"\ud800":1}`, `"\\ud800" is given twice`},
		{`{` + unknownKeys(33) + `}`, `more than 32 unknown keys`},
		{`{"name":"\ud800"}`, `"name" holds half a surrogate pair`},
		{`{"when":"\ude00\ud83d"}`, `"when" holds half a surrogate pair`},
		{`{"name":"\u0041","id":"\ud800"}`, `"id" holds half a surrogate pair`},
		{`{"id":"\ud800\ud800\udc00"}`, `"id" holds half a surrogate pair`},
	} {
		_, _, err := decodeIn(c.message)
		if err == nil || err.Error() != c.want {
			t.Errorf("%.100s: error %v, want %s", c.message, err, c.want)
		}
		checkMessage(t, []byte(c.message))
	}
}

// A refusal of what is JSON can still be addressed.
func TestDecodeMessageRefusalHasNonce(t *testing.T) {
	base, m, err := decodeIn(`{"name":1,"name":2,"x":0,"x":1,"nonce":"\u0031","action":"RunTask"}`)
	var e *protocol.FieldError
	if !errors.As(err, &e) || string(m.Nonce.Of(base)) != `"\u0031"` || m.Action != protocol.ActionRunTask {
		t.Errorf("nonce %s, action %v, error %v", m.Nonce.Of(base), m.Action, err)
	}
	if _, m, err = decodeIn(`{"nonce":1,"options":`); err == nil || m != (protocol.Message{}) {
		t.Errorf("%+v of what is not JSON", m)
	}
}

func TestNonceToken(t *testing.T) {
	want := dispatch.Token{Slot: 0x01234567, Secret: 0x89abcdef01234567}
	for nonce, ok := range map[string]bool{
		`"abcdefghijklmnopabcdefgh"`:                              true,
		`"\u0061bcdefghijklmnopabcdefg\u0068"`:                    true,
		`"` + escapedText("abcdefghijklmnopabcdefgh") + `"`:       true,
		`"` + escapedText("abcdefghijklmnopabcdefgh8") + `"`:      false,
		`"` + escapedText("abcdefghijklmnopabcdefgh") + `\u0061"`: false,
		`"ABCDEFGHIJKLMNOPABCDEFGH"`:                              false,
		`"abcdefghijklmnopabcdefg"`:                               false,
		`"\ud800abcdefghijklmnopabcdefg"`:                         false,
		`""`:                                                      false,
		`123456789012345678901234`:                                false,
		`null`:                                                    false,
	} {
		base, m, err := decodeIn(`{"nonce":` + nonce + `}`)
		if err != nil {
			t.Fatal(err)
		}
		if got, is := m.NonceToken(base); is != ok || ok && got != want {
			t.Errorf("%s: %v, %v", nonce, got, is)
		}
	}
	if _, ok := new(protocol.Message).NonceToken(nil); ok {
		t.Error("no nonce is a token")
	}
}

func escapedText(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\u%04X`, c)
	}
	return b.String()
}

func TestDecodeMessageMutated(t *testing.T) {
	for _, text := range []string{
		runTaskMessage, sendResultMessage,
		`{"id" : "a\u00e9" , "when":"2", "nonce":[{}], "x":null}`,
	} {
		for i := range len(text) {
			checkMessage(t, []byte(text[:i]))
			checkMessage(t, []byte(text[:i]+text[i+1:]))
			for _, c := range []byte("\x00\n !\"#,-./0129:;AENaeinort[\\]{}\x7f\x80\xbf\xc3\xff") {
				b := []byte(text)
				b[i] = c
				checkMessage(t, b)
			}
		}
	}
}

func TestDecodeMessageAllocatesNothing(t *testing.T) {
	for _, text := range []string{
		runTaskMessage, sendResultMessage, getTaskMessage,
		`{"\u0061ction":"Run\u0054ask","unknown":[1,{"a":2}],"another":1,"nonce":"\u0030"}`,
	} {
		base := []byte(text + textBehind)
		var m protocol.Message
		if n := testing.AllocsPerRun(100, func() {
			if err := protocol.DecodeMessage(base, dispatch.Span{Len: uint32(len(text))}, &m); err != nil {
				t.Fatal(err)
			}
			m.NonceToken(base)
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
