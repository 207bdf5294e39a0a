package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"workman/callback"
	"workman/dispatch"
	"workman/protocol"
)

// policy is what a file says of a task. What it leaves out stays as it is without.
type policy struct {
	Attempts   *int    `json:"attempts"`
	Backoff    *string `json:"backoff"`
	BackoffMax *string `json:"backoff_max"`
	Timeout    *string `json:"timeout"`
	TTL        *string `json:"ttl"`
	Keep       *string `json:"keep"`
	KeepDead   *string `json:"keep_dead"`
}

// policies reads the file. The most particular name comes first: whole names, then longer beginnings.
func (o *options) policies(usual dispatch.Policy) (all []dispatch.TaskPolicy, err error) {
	if o.Policies == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.Policies)
	if err != nil {
		return nil, fmt.Errorf("read --policies: %w", err)
	}
	said := map[string]policy{}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&said); err != nil {
		return nil, fmt.Errorf("--policies %s: %w", o.Policies, err)
	}
	for task, p := range said {
		if err := protocol.CheckName([]byte(task)); err != nil {
			return nil, fmt.Errorf("--policies %s: task %q: %w", o.Policies, task, err)
		}
		one := dispatch.TaskPolicy{Task: task, Policy: usual}
		if err := p.apply(&one.Policy); err != nil {
			return nil, fmt.Errorf("--policies %s: task %q: %w", o.Policies, task, err)
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b dispatch.TaskPolicy) int {
		if x, y := strings.HasSuffix(a.Task, "*"), strings.HasSuffix(b.Task, "*"); x != y {
			if y {
				return -1
			}
			return 1
		}
		if len(a.Task) != len(b.Task) {
			return len(b.Task) - len(a.Task)
		}
		return strings.Compare(a.Task, b.Task)
	})
	return all, nil
}

func (p *policy) apply(to *dispatch.Policy) error {
	if p.Attempts != nil {
		if *p.Attempts < 1 || *p.Attempts > dispatch.MaxAttempts {
			return fmt.Errorf("attempts is %d, and must be from 1 to %d", *p.Attempts, dispatch.MaxAttempts)
		}
		to.Attempts = *p.Attempts
	}
	for _, d := range [...]struct {
		name string
		said *string
		to   *int64
	}{
		{"backoff", p.Backoff, &to.Backoff}, {"backoff_max", p.BackoffMax, &to.BackoffMax}, {"timeout", p.Timeout, &to.Timeout},
		{"ttl", p.TTL, &to.TTL}, {"keep", p.Keep, &to.Keep}, {"keep_dead", p.KeepDead, &to.KeepDead},
	} {
		if d.said == nil {
			continue
		}
		v, err := time.ParseDuration(*d.said)
		if err != nil || v < 0 || v.Milliseconds() > dispatch.MaxKeep {
			return fmt.Errorf("%s is %q, and must be a duration like 30s or 2h, at most ten years", d.name, *d.said)
		}
		*d.to = v.Milliseconds()
	}
	return nil
}

// access is what callbacks may reach.
func (o *options) access() callback.Access {
	return callback.Access{AllowPrivate: o.CallbackPrivate, AllowHosts: o.CallbackHosts}
}

// secrets are what callbacks are signed with.
func (o *options) secrets() (all [][]byte, err error) {
	for _, text := range o.CallbackSecrets {
		s, err := callback.ParseSecret(text)
		if err != nil {
			return nil, fmt.Errorf("--callback-secrets: %w", err)
		}
		all = append(all, s)
	}
	return all, nil
}

// durability is what is promised, for the log.
func (o *options) durability() string {
	if o.Memory {
		return "none: all of it ends with the process"
	}
	return o.Durability
}
