package document

import (
	"bytes"
	"strconv"

	"workman/dispatch"
)

// Append appends the document of a run. A full one has its options and its result, copied as they are stored; both may be
// megabytes, so lists do without. Of a short view (Run is nil) it shows what there is: id, task, state and due.
// It returns dispatch.ErrStored, and nothing appended, for a view that this version does not understand.
func Append(dst []byte, v *dispatch.View, full bool) ([]byte, error) {
	if v.Run == nil {
		return append(appendHead(dst, v, nil), '}'), nil
	}
	run, err := dispatch.DecodeRun(v.Run)
	if err != nil {
		return dst, err
	}
	life, err := lifeOf(v)
	if err != nil {
		return dst, err
	}
	attempts, err := dispatch.Attempts(life.History)
	if err != nil {
		return dst, err
	}
	dst = appendHead(dst, v, &run)
	dst = appendTime(dst, `,"finished":`, life.Finished)
	dst = appendTerms(dst, &run)
	dst = strconv.AppendInt(append(dst, `,"max_attempts":`...), int64(run.Attempts), 10)
	dst = strconv.AppendInt(append(dst, `,"lost":`...), int64(life.Losses), 10)
	dst = appendAttempts(dst, attempts)
	dst = appendProgress(dst, v)
	if full {
		dst = appendRaw(dst, `,"options":`, run.Body)
		dst = appendRaw(dst, `,"result":`, life.Result)
	}
	return append(dst, '}'), nil
}

// AppendShort appends {"id":"…","task":"…","state":"…"}: what a request is answered with before its run is finished.
func AppendShort(dst []byte, v *dispatch.View) []byte {
	dst = append(v.ID.Append(append(dst, `{"id":"`...)), `","task":`...)
	dst = AppendText(dst, v.Name)
	dst = append(append(dst, `,"state":"`...), v.State.String()...)
	return append(dst, `"}`...)
}

// lifeOf is what became of the run so far, whether it is finished or not.
func lifeOf(v *dispatch.View) (dispatch.Outcome, error) {
	switch {
	case v.Outcome != nil:
		return dispatch.DecodeOutcome(v.Outcome)
	case v.Status != nil:
		s, err := dispatch.DecodeStatus(v.Status)
		return dispatch.Outcome{Failures: s.Failures, Losses: s.Losses, History: s.History}, err
	}
	return dispatch.Outcome{}, nil
}

// appendHead appends the members up to due. They begin as those of AppendShort do. run is nil for a short view.
func appendHead(dst []byte, v *dispatch.View, run *dispatch.StoredRun) []byte {
	dst = AppendShort(dst, v)
	dst = dst[:len(dst)-1]
	if run != nil {
		dst = strconv.AppendInt(append(dst, `,"priority":`...), int64(run.Priority()), 10)
		dst = appendTime(dst, `,"created":`, run.Created)
		dst = appendTime(dst, `,"scheduled_for":`, run.ScheduledFor())
	}
	if v.State == dispatch.Waiting || v.State == dispatch.Retrying {
		dst = appendTime(dst, `,"due":`, v.Due)
	}
	return dst
}

// appendTerms appends what was said when the run was asked for.
func appendTerms(dst []byte, run *dispatch.StoredRun) []byte {
	dst = appendString(dst, `,"key":`, run.Key)
	dst = appendLabels(dst, run.Labels)
	dst = appendTime(dst, `,"deadline":`, run.Deadline)
	dst = appendString(dst, `,"traceparent":`, run.Traceparent)
	return appendString(dst, `,"callback":`, run.Callback)
}

// appendLabels makes an object of lines key:value.
func appendLabels(dst, labels []byte) []byte {
	if len(labels) == 0 {
		return dst
	}
	dst = append(dst, `,"labels":`...)
	between := byte('{')
	for line := range bytes.Lines(labels) {
		key, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(":"))
		dst = append(AppendText(append(dst, between), key), ':')
		dst = AppendText(dst, value)
		between = ','
	}
	return append(dst, '}')
}

func appendAttempts(dst []byte, attempts []dispatch.Attempt) []byte {
	if len(attempts) == 0 {
		return dst
	}
	dst = append(dst, `,"attempts":`...)
	between := byte('[')
	for i := range attempts {
		a := &attempts[i]
		dst = strconv.AppendInt(append(append(dst, between), `{"number":`...), int64(a.Number), 10)
		dst = appendTime(dst, `,"began":`, a.Began)
		dst = appendTime(dst, `,"ended":`, a.Ended)
		dst = append(appendRaw(dst, `,"error":`, a.Error), '}')
		between = ','
	}
	return append(dst, ']')
}

// appendProgress appends what the worker said last of how far it is: an object, to which the time is added.
func appendProgress(dst []byte, v *dispatch.View) []byte {
	said, ok := bytes.CutSuffix(v.Progress, []byte("}"))
	if !ok {
		return dst
	}
	dst = append(append(dst, `,"progress":`...), said...)
	if len(said) > 1 {
		dst = append(dst, ',')
	}
	return append(AppendTime(append(dst, `"at":`...), v.Said), '}')
}

// appendRaw appends a member that is JSON already, unless it is nothing.
func appendRaw(dst []byte, member string, raw []byte) []byte {
	if len(raw) == 0 {
		return dst
	}
	return append(append(dst, member...), raw...)
}

// appendString appends a member, unless it is empty.
func appendString(dst []byte, member string, s []byte) []byte {
	if len(s) == 0 {
		return dst
	}
	return AppendText(append(dst, member...), s)
}

// appendTime appends a member, unless the time is 0.
func appendTime(dst []byte, member string, ms int64) []byte {
	if ms == 0 {
		return dst
	}
	return AppendTime(append(dst, member...), ms)
}
