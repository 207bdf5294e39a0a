package document

import (
	"strconv"
	"time"

	"workman/dispatch"
)

// AppendRule appends the document of a schedule that recurs. next are the next times at which it is due, in its zone. problem
// is why it does not fire, if people have to do something about that; it may be empty. A full
// one has its options, copied as they are stored. It returns dispatch.ErrStored, and nothing appended, for one that this
// version does not understand.
func AppendRule(dst []byte, r *dispatch.StoredRule, next []time.Time, problem string, full bool) ([]byte, error) {
	terms, err := dispatch.DecodeTerms(r.Terms)
	if err != nil {
		return dst, err
	}
	dst = AppendText(append(dst, `{"name":`...), r.Name)
	for _, m := range [...]struct {
		member string
		value  []byte
	}{{`,"task":`, r.Task}, {`,"cron":`, r.Cron}, {`,"zone":`, r.Zone}} {
		dst = AppendText(append(dst, m.member...), m.value)
	}
	dst = AppendText(append(dst, `,"overlap":`...), dispatch.OverlapNames[r.Overlap])
	dst = AppendText(append(dst, `,"catchup":`...), dispatch.CatchUpNames[r.CatchUp])
	dst = strconv.AppendBool(append(dst, `,"paused":`...), r.Paused)
	dst = appendTime(dst, `,"created":`, r.Created)
	if full {
		dst = appendRaw(dst, `,"options":`, r.Body)
	}
	dst = appendSaid(dst, &terms)
	dst = appendNext(dst, next)
	if problem != "" {
		dst = AppendText(append(dst, `,"problem":`...), problem)
	}
	if r.Last != (dispatch.ID{}) {
		dst = appendTime(append(dst, `,"last":{`...), `"at":`, r.LastAt)
		dst = append(r.Last.Append(append(dst, `,"run":"`...)), `"}`...)
	}
	for _, m := range [...]struct {
		member string
		n      uint64
	}{{`,"runs":`, r.Runs}, {`,"skipped":`, r.Skipped}, {`,"missed":`, r.Missed}} {
		dst = strconv.AppendUint(append(dst, m.member...), m.n, 10)
	}
	return append(dst, '}'), nil
}

// appendNext appends times, each as it is in UTC and on the clocks of the zone.
func appendNext(dst []byte, next []time.Time) []byte {
	dst = append(dst, `,"next":[`...)
	for i, at := range next {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendTime(append(dst, `{"utc":`...), at.UnixMilli())
		dst = AppendText(append(dst, `,"local":`...), at.Format("2006-01-02T15:04:05.000-07:00"))
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendSaid appends the terms that were said, with their names and values as in a request.
func appendSaid(dst []byte, t *dispatch.Terms) []byte {
	start := len(dst)
	dst = append(dst, `,"terms":{`...)
	empty := len(dst)
	for _, m := range [...]struct {
		name string
		v    int64
	}{{"priority", int64(t.Priority)}, {"attempts", int64(t.Attempts)}} {
		if m.v >= 0 {
			dst = strconv.AppendInt(append(appendName(dst, m.name), ':'), m.v, 10)
		}
	}
	for _, m := range [...]struct {
		name string
		ms   int64
	}{{"backoff", t.Backoff}, {"backoff_max", t.BackoffMax}, {"timeout", t.Timeout}, {"ttl", t.TTL}, {"keep", t.Keep}} {
		if m.ms >= 0 {
			dst = AppendText(append(appendName(dst, m.name), ':'), (time.Duration(m.ms) * time.Millisecond).String())
		}
	}
	if len(t.Callback) > 0 {
		dst = AppendText(append(appendName(dst, "callback"), ':'), t.Callback)
	}
	if len(t.Labels) > 0 {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, appendLabels(nil, t.Labels)[1:]...)
	}
	if len(dst) == empty {
		return dst[:start]
	}
	return append(dst, '}')
}

// appendName appends the name of a member, with a comma in front unless it is the first.
func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return AppendText(dst, name)
}
