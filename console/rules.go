package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"workman/dispatch"
	"workman/document"
	"workman/protocol"
	"workman/schedule"
)

// shownTimes is how many of the next times of a schedule are shown.
const shownTimes = 10

const jsonType = "application/json; charset=utf-8"

// rules adds what there is about schedules that recur.
func (cfg *Config) rules(mux *http.ServeMux) {
	mux.Handle("GET /schedules", cfg.listRules())
	mux.Handle("GET /schedules/{name}", named(cfg.showRule))
	mux.Handle("PUT /schedules/{name}", named(cfg.putRule))
	mux.Handle("DELETE /schedules/{name}", named(cfg.dropRule))
	mux.Handle("POST /schedules/{name}/run", named(bare(cfg.runRule)))
	for path, kind := range map[string]dispatch.Kind{"pause": dispatch.PauseRule, "resume": dispatch.ResumeRule} {
		mux.Handle("POST /schedules/{name}/"+path, named(bare(func(w http.ResponseWriter, r *http.Request, name string) {
			if e, ok := cfg.doRule(w, r, kind, name); ok {
				cfg.tellRule(w, http.StatusOK, e.Body)
			}
		})))
	}
}

// named refuses what cannot be the name of a schedule, and parameters where there are none.
func named(next func(w http.ResponseWriter, r *http.Request, name string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("name")
		if err := protocol.CheckName([]byte(name)); err != nil {
			problemOf(w, http.StatusBadRequest, protocol.ProblemBadName, "schedule: "+err.Error())
			return
		}
		if r.URL.RawQuery != "" {
			problemOf(w, http.StatusUnprocessableEntity, protocol.ProblemBadSchedule, fmt.Sprintf("this request has no parameters; it came with %.80q", r.URL.RawQuery))
			return
		}
		next(w, r, name)
	}
}

// bare refuses a body where it would be ignored: somebody may take it for the options of the run.
func bare(next func(w http.ResponseWriter, r *http.Request, name string)) func(w http.ResponseWriter, r *http.Request, name string) {
	return func(w http.ResponseWriter, r *http.Request, name string) {
		text, err := io.ReadAll(io.LimitReader(r.Body, mostQuoted))
		switch {
		case err != nil:
			trouble(w, err)
		case len(text) > 0:
			problemOf(w, http.StatusBadRequest, "", fmt.Sprintf("this request has no body; it came with %.80q. "+
				"A run of a schedule has the options that PUT /schedules/%s gave it; POST /task/{name} runs a task with others", text, url.PathEscape(name)))
		default:
			next(w, r, name)
		}
	}
}

// mostQuoted is how much is read of a body that there should not be.
const mostQuoted = 81

func problemOf(w http.ResponseWriter, status int, kind, detail string) {
	write(w, status, document.ProblemType, document.AppendProblem(nil, status, kind, detail, nil))
}

// showRule is GET /schedules/{name}.
func (cfg *Config) showRule(w http.ResponseWriter, _ *http.Request, name string) {
	id := dispatch.RuleID([]byte(name))
	value, ok, err := cfg.Store.Get(dispatch.TableRules, id[:])
	switch {
	case err != nil:
		trouble(w, err)
	case !ok:
		refused(w, dispatch.NoRule)
	default:
		cfg.tellRule(w, http.StatusOK, value)
	}
}

// tellRule answers with the document of a schedule, from its value in the store.
func (cfg *Config) tellRule(w http.ResponseWriter, status int, value []byte) {
	r, err := dispatch.DecodeRule(value)
	if err != nil {
		trouble(w, fmt.Errorf("this schedule: %w", err))
		return
	}
	next, problem := cfg.nextTimes(&r, shownTimes)
	body, err := document.AppendRule(nil, &r, next, problem, true)
	if err != nil {
		trouble(w, fmt.Errorf("this schedule: %w", err))
		return
	}
	w.Header().Set("ETag", strconv.Quote(strconv.FormatUint(r.Rev, 10)))
	write(w, status, jsonType, body)
}

// nextTimes are the next times of a schedule, so many at most, in its zone; or why there are none, if somebody has to do
// something about that.
func (cfg *Config) nextTimes(r *dispatch.StoredRule, most int) (all []time.Time, problem string) {
	cron, err := schedule.ParseCron(string(r.Cron))
	if err != nil {
		return nil, fmt.Sprintf("it does not fire: this version does not understand its cron expression (%v); PUT it with another one", err)
	}
	in, err := time.LoadLocation(string(r.Zone))
	if err != nil {
		return nil, fmt.Sprintf("it does not fire: the zone data of this machine has no %q; PUT it with a zone that is there, "+
			"or install the data and PUT it as it is", r.Zone)
	}
	if r.Next == 0 && !r.Paused {
		if _, ok := cron.Next(in, r.From, max(cfg.Now().UnixMilli(), r.Passed)); ok {
			problem = fmt.Sprintf("it has stopped: when it was due, the zone data of the machine had no %q; PUT it as it is, and it goes on", r.Zone)
		}
	}
	for at, ok := r.Next, r.Next > 0; ok && len(all) < most; at, ok = cron.Next(in, r.From, at) {
		all = append(all, time.UnixMilli(at).In(in))
	}
	return all, problem
}

// dropRule is DELETE /schedules/{name}.
func (cfg *Config) dropRule(w http.ResponseWriter, r *http.Request, name string) {
	if _, ok := cfg.doRule(w, r, dispatch.DropRule, name); ok {
		w.WriteHeader(http.StatusNoContent)
	}
}

// runRule is POST /schedules/{name}/run.
func (cfg *Config) runRule(w http.ResponseWriter, r *http.Request, name string) {
	e, ok := cfg.doRule(w, r, dispatch.FireRule, name)
	if !ok {
		return
	}
	v, err := dispatch.DecodeView(e.Body)
	if err != nil {
		trouble(w, err)
		return
	}
	w.Header().Set("Location", "/runs/"+v.ID.String())
	write(w, http.StatusAccepted, jsonType, document.AppendShort(nil, &v))
}

// doRule has the dispatcher do something with a schedule. It reports false if that was refused, and answered.
func (cfg *Config) doRule(w http.ResponseWriter, r *http.Request, kind dispatch.Kind, name string) (dispatch.Effect, bool) {
	rev, err := ifMatch(r.Header)
	if err != nil {
		problemOf(w, http.StatusBadRequest, "", err.Error())
		return dispatch.Effect{}, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	e, err := cfg.Runs.DoRule(ctx, kind, dispatch.RuleID([]byte(name)), rev)
	if err != nil {
		trouble(w, err)
		return dispatch.Effect{}, false
	}
	return e, !isRefused(w, &e)
}

func isRefused(w http.ResponseWriter, e *dispatch.Effect) bool {
	if e.Kind == dispatch.Refused {
		refused(w, e.Reason)
	}
	return e.Kind == dispatch.Refused
}

// refused answers with why something was refused.
func refused(w http.ResponseWriter, why dispatch.Reason) {
	status, kind, text, after := protocol.Refusal(why)
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(after))
	}
	problemOf(w, status, kind, text)
}

// putRule is PUT /schedules/{name}.
func (cfg *Config) putRule(w http.ResponseWriter, r *http.Request, name string) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostRule))
	if errors.As(err, new(*http.MaxBytesError)) {
		problemOf(w, http.StatusRequestEntityTooLarge, protocol.ProblemBodyTooLarge,
			fmt.Sprintf("the document of a schedule may have %d bytes: make its options smaller", mostRule))
		return
	}
	if err != nil {
		trouble(w, err)
		return
	}
	said, err := cfg.readRule(name, text)
	if err != nil {
		status, kind := http.StatusUnprocessableEntity, protocol.ProblemBadSchedule
		if errors.As(err, new(*protocol.JSONError)) {
			status, kind = http.StatusBadRequest, protocol.ProblemBadJSON
		}
		problemOf(w, status, kind, err.Error())
		return
	}
	count, rev, err := conditions(r.Header)
	if err != nil {
		problemOf(w, http.StatusBadRequest, "", err.Error())
		return
	}
	if said.paused {
		count |= dispatch.RulePausedSaid
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	e, err := cfg.Runs.SetRule(ctx, said.rule.Append(nil), count, rev)
	switch {
	case err != nil:
		trouble(w, err)
	case isRefused(w, &e):
	case e.Found:
		w.Header().Set("Location", r.URL.EscapedPath())
		cfg.tellRule(w, http.StatusCreated, e.Body)
	default:
		cfg.tellRule(w, http.StatusOK, e.Body)
	}
}

// conditions reads under which a schedule is to be set: If-None-Match: *, or If-Match with an ETag of before.
func conditions(h http.Header) (count uint32, rev int64, err error) {
	switch none := h.Get("If-None-Match"); none {
	case "":
	case "*":
		count = dispatch.RuleIsNew
	default:
		return 0, 0, fmt.Errorf("If-None-Match is %.40q, and may only be * here: no schedule of this name is there yet", none)
	}
	rev, err = ifMatch(h)
	return count, rev, err
}

// ifMatch reads which schedule something is to be done with, in the form of an event's At: with any, or only with the one that
// has an ETag, as it was when it had that (RFC 9110 13.1.1). What is an ETag, and cannot be one of ours, is true of none.
func ifMatch(h http.Header) (rev int64, err error) {
	match := strings.Join(h.Values("If-Match"), ", ")
	tag, weak := strings.CutPrefix(match, "W/")
	switch n := len(tag); {
	case match == "":
		return 0, nil
	case match == "*":
		return dispatch.RuleIsThere, nil
	case n < 2 || tag[0] != '"' || strings.IndexByte(tag[1:], '"') != n-2:
		return 0, fmt.Errorf("If-Match is %.40q, and must be one ETag, with its quotes, as a schedule came with: like \"1790000000000\"; or *, which is any", match)
	case !weak:
		rev, err = strconv.ParseInt(tag[1:n-1], 10, 64)
	}
	if err != nil || rev <= 0 || strconv.FormatInt(rev, 10) != tag[1:len(tag)-1] {
		rev = dispatch.RuleIsOther
	}
	return rev, nil
}

// listRules is GET /schedules: in the order of their names, byte by byte.
func (cfg *Config) listRules() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, query, err := readFilter(r.URL.RawQuery, byName)
		if err != nil {
			problem(w, http.StatusBadRequest, err.Error())
			return
		}
		body, last, err := cfg.pageOfRules(f.cursor, f.limit)
		if err != nil {
			trouble(w, err)
			return
		}
		if last != "" {
			body = document.AppendText(append(body, `,"next":`...), link(r.URL.Path, query, last))
		}
		write(w, http.StatusOK, jsonType, append(body, '}'))
	}
}

// pageOfRules is a page of them, not closed, of names after one, and the last name that it came to; empty if it is the last page.
func (cfg *Config) pageOfRules(after []byte, limit int) (body []byte, last string, err error) {
	body = []byte(`{"schedules":[`)
	if after != nil {
		after = append(after, 0) // no name has that
	}
	failed, more := error(nil), false
	err = cfg.Store.Scan(dispatch.TableNames, after, nil, func(name, _ []byte) bool {
		if more = limit == 0; more {
			return false
		}
		limit--
		body, failed = cfg.appendListed(body, name)
		last = string(name)
		return failed == nil
	})
	if failed != nil {
		err = fmt.Errorf("a schedule: %w", failed)
	}
	if !more {
		last = ""
	}
	return append(bytes.TrimSuffix(body, []byte(",")), ']'), last, err
}

// appendListed appends a schedule as lists show it, and a comma, unless it has just been deleted. Of one that cannot be read it is
// the name and why: the others are there to be seen all the same.
func (cfg *Config) appendListed(dst, name []byte) ([]byte, error) {
	id := dispatch.RuleID(name)
	value, ok, err := cfg.Store.Get(dispatch.TableRules, id[:])
	if err != nil || !ok {
		return dst, err
	}
	r, err := dispatch.DecodeRule(value)
	if err == nil {
		next, problem := cfg.nextTimes(&r, 1)
		dst, err = document.AppendRule(dst, &r, next, problem, false)
	}
	if err != nil {
		dst = document.AppendText(append(dst, `{"name":`...), name)
		dst = document.AppendText(append(dst, `,"problem":`...), "it cannot be read: "+err.Error()+"; start the version that wrote it")
		dst = append(dst, '}')
	}
	return append(dst, ','), nil
}
