package dispatch_test

import (
	"fmt"
	"hash"
	"hash/crc32"
	"hash/fnv"
	"strings"

	"workman/dispatch"
)

// tail is how many lines of its transcript a failing world shows.
const tail = 40

// transcript keeps the last lines of what happened, and a hash of all.
type transcript struct {
	lines [tail]string
	n     int
	hash  hash.Hash64
}

func newTranscript() *transcript { return &transcript{hash: fnv.New64a()} }

func (t *transcript) add(line string) {
	t.lines[t.n%tail] = line
	t.n++
	_, _ = t.hash.Write([]byte(line)) // never fails
}

func (t *transcript) String() string {
	var b strings.Builder
	for i := max(0, t.n-tail); i < t.n; i++ {
		b.WriteString(t.lines[i%tail])
		b.WriteByte('\n')
	}
	return b.String()
}

var kinds = []string{
	"?", "RunTask", "ScheduleTask", "UnscheduleTask", "ListTasks", "ReadRun", "CancelRun", "RetryRun", "ExplainRun", "ForgetRun",
	"RegisterTask", "GetTask", "SendResult", "SendError", "SayHello", "Extend", "Progress", "HandBack", "TakeLease", "Block", "Unblock", "Gone", "Tick", "Report", "Drain", "Stop",
	"Committed", "CommitFailed", "Loaded", "StoreLow", "CallbackDone", "ListTaskInfo", "ListWorkerInfo", "ListRunning", "ListRunStates",
	"SetRule", "DropRule", "PauseRule", "ResumeRule", "FireRule",
}

var effects = []string{
	"?", "HandOut", "Result", "Listed", "Scheduled", "Unscheduled", "Refused", "Failed", "Accepted", "Done", "Shown", "Changed",
	"Explained", "Forgotten", "Cancel", "Welcome", "Late",
	"NoMoreTasks", "Hangup", "Leased", "NoLease", "LeaseTaken", "RuleIs", "RuleGone", "Paused",
}

func showConn(c dispatch.Conn) string {
	if c == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d.%d", c.Loop(), c.Slot(), c.Generation())
}

func showToken(t dispatch.Token) string { return string(t.Append(nil)) }

// brief shows bytes; long ones by their beginning and a checksum, so that the transcript's hash still sees them.
func brief(b []byte) string {
	switch {
	case b == nil:
		return "none"
	case len(b) <= 48:
		return string(b)
	}
	return fmt.Sprintf("%s…(%d bytes, %08x)", b[:24], len(b), crc32.ChecksumIEEE(b))
}

func showInput(n int, now dispatch.Now, from dispatch.Conn, in *input) string {
	head := fmt.Sprintf("%d at %d/%d %s %s", n, now.Mono, now.Wall, kinds[in.kind], showConn(from))
	switch in.kind {
	case dispatch.RunTask:
		return fmt.Sprintf("%s seq=%d nonce=%s name=%s body=%s priority=%d staffed=%v", head, in.seq,
			brief(in.nonce), brief(in.name), brief(in.body), in.terms.Priority, in.terms.Staffed)
	case dispatch.RegisterTask:
		return fmt.Sprintf("%s name=%s count=%d", head, brief(in.name), in.count)
	case dispatch.TakeLease:
		return fmt.Sprintf("%s seq=%d names=%s count=%d at=%d lasts=%d", head, in.seq, brief(in.body), in.count, in.at, in.token.Secret)
	case dispatch.SayHello, dispatch.Extend, dispatch.Progress, dispatch.HandBack:
		return fmt.Sprintf("%s seq=%d secret=%x token=%s count=%d at=%d", head, in.seq, in.nonce, showToken(in.token), in.count, in.at)
	case dispatch.SendResult:
		return fmt.Sprintf("%s token=%s count=%d body=%s", head, showToken(in.token), in.count, brief(in.body))
	}
	return fmt.Sprintf("%s seq=%d count=%d", head, in.seq, in.count)
}

func showEffect(e *dispatch.Effect) string {
	return fmt.Sprintf("  → %s %s seq=%d nonce=%s name=%s token=%s reason=%d found=%v body=%s",
		effects[e.Kind], showConn(e.To), e.Seq, brief(e.Nonce), brief(e.Name), showToken(e.Token), e.Reason, e.Found, brief(e.Body))
}

func showAnswer(a answer) string {
	return fmt.Sprintf("%s %s seq=%d nonce=%s reason=%d body=%s",
		effects[a.kind], showConn(a.to), a.seq, brief([]byte(a.nonce)), a.reason, brief([]byte(a.body)))
}

// write notes what one step came to.
func (t *transcript) write(out *dispatch.Batch, sleep int64) {
	for i := range out.Effects {
		t.add(showEffect(&out.Effects[i]))
	}
	t.add(fmt.Sprintf("  sleep %d", sleep))
}
