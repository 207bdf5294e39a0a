package protocol_test

import (
	"slices"

	"workman/dispatch"
)

// memory is a store that keeps what it is given as long as a test runs: keys are a table's letter and what follows it.
type memory map[string]string

// keep makes the changes of a batch.
func (m memory) keep(b *dispatch.Batch) {
	for _, op := range b.Ops {
		key := string(op.Table) + string(op.Key.Of(b.Data))
		if op.Delete {
			delete(m, key)
		} else {
			m[key] = string(op.Value.Of(b.Data))
		}
	}
}

// load answers a question to the store; of one with keys the i-th.
func (m memory) load(l *dispatch.Load, i int) (rows []byte, how uint32) {
	if len(l.Keys) > 0 {
		key := string(l.Keys[i][:])
		if id, ok := m[string(l.Table)+key]; ok {
			rows = m.row(nil, key, id, id, l.Also)
		}
		return rows, dispatch.LoadWhole
	}
	if l.Table == 0 {
		return m.row(nil, "", "", string(l.ID[:]), l.Also), dispatch.LoadWhole
	}
	from, to := string(l.Table)+string(l.From), string(l.Table)+string(l.To)
	var found []string
	for key := range m {
		if key >= from && key < to {
			found = append(found, key)
		}
	}
	slices.Sort(found)
	for i, key := range found {
		if i >= l.Limit || l.Bytes > 0 && len(rows) >= l.Bytes {
			return rows, dispatch.LoadPart
		}
		rows = m.row(rows, key[1:], m[key], runOf(key, m[key]), l.Also)
	}
	return rows, dispatch.LoadWhole
}

// runOf is the run that a row is about.
func runOf(key, value string) string {
	switch key[0] {
	case dispatch.TableQueue, dispatch.TableKeys:
		return value[len(value)-16:]
	case dispatch.TableDue:
		_, id, _, _ := dispatch.ParseDueKey([]byte(key[1:]))
		return string(id[:])
	}
	return key[max(1, len(key)-16):]
}

func (m memory) row(rows []byte, key, value, run, also string) []byte {
	values := make([][]byte, len(also))
	for i := range also {
		if v, ok := m[also[i:i+1]+run]; ok {
			values[i] = append([]byte{}, v...)
		}
	}
	return dispatch.AppendRow(rows, []byte(key), []byte(value), values)
}
