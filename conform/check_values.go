package conform

import (
	"context"
	"net/http"
	"strings"
)

// values are the checks of what goes through a worker.
var values = []check{
	value("null", "null is null", `null`),
	value("empty", "what is empty stays so", `""`, `[]`, `{}`, `["",[],{}]`, `false`, `0`),
	{name: "left out", needs: []string{"asks again"}, task: "echo", expected: "a task without options is done too; its result is null or left out",
		section: forWorkers, run: leftOut},
	value("unicode", "text is Unicode", `"héllo, wörld ✓ 日本語 𝄞 🜚"`, `{"ключ":["значение","\u202ertl","e\u0301"]}`, "\"\u2028\u2029\ufeff\U0010ffff\""),
	value("escapes", "escapes stand for their characters", `"\"\\\/\b\f\n\r\t"`, `"\u0000\u001f\u007f"`, `"\u00e9\ud834\udd1e"`, `{"a\"b\\c":1}`),
	value("numbers", "numbers are IEEE 754 doubles",
		`[0,1,-1,0.1,-2.5,3.141592653589793,1.1]`, `[9007199254740991,-9007199254740991,4294967296]`,
		`[1e21,1.0e+2,1E-7,1.7976931348623157e308,5e-324]`),
	{name: "exact numbers", needs: []string{"numbers"}, task: "echo", expected: "numbers come back digit by digit",
		section: protocol + "HTTP", run: exactNumbers},
	value("nested", "arrays and objects in one another, 40 deep", strings.Repeat(`[`, 40)+strings.Repeat(`]`, 40),
		strings.Repeat(`{"a":`, 40)+`[{"b":[true,false,null]}]`+strings.Repeat(`}`, 40)),
	value("large", "options and a result of 1 MiB", large),
	{name: "fails", needs: []string{"asks again"}, task: "fail", expected: "a task that fails is answered too: with a result that says so or, after Hello, with SendError",
		section: forWorkers, run: fails},
}

// large is a JSON string of 1 MiB.
var large = `"` + strings.Repeat("large enough to come in many parts. ", 1<<20/36) + `"`

func value(name, expected string, options ...string) check {
	return check{name: name, needs: []string{"asks again"}, task: "echo", expected: expected + ", and comes back as it was sent",
		section: postTask, run: echoes(options...)}
}

func leftOut(ctx context.Context, x *exam) finding {
	ctx, cancel := x.soon(ctx)
	defer cancel()
	a := <-x.producer.callBare(ctx, "echo")
	if a.err == nil && len(a.body) == 0 {
		a.body = []byte("null")
	}
	return x.same("null", a)
}

func exactNumbers(ctx context.Context, x *exam) finding {
	const exact = `[12345678901234567890,0.1000000000000000055511151231257827]`
	ctx, cancel := x.soon(ctx)
	defer cancel()
	a := <-x.producer.call(ctx, "echo", []byte(exact))
	switch {
	case a.err != nil:
		return failed("no result of echo for %s (%v): %s", exact, cause(a.err), x.whatOfIt())
	case a.status != http.StatusOK || string(a.body) != exact:
		return hint("%s came back as %s, as with most JSON libraries", exact, brief(a.body))
	}
	return ok("")
}

func fails(ctx context.Context, x *exam) finding {
	soon, cancel := x.soon(ctx)
	defer cancel()
	a := <-x.producer.call(soon, "fail", []byte(`{"message":"as it was asked to"}`))
	switch {
	case a.err != nil:
		return failed("no answer (%v): %s", cause(a.err), x.whatOfIt())
	case a.status != http.StatusOK && a.status != http.StatusBadGateway:
		return failed("it came to %d %s", a.status, brief(a.body))
	}
	if f := x.works(ctx); f.result != OK {
		return f
	}
	return ok("%d %s", a.status, brief(a.body))
}
