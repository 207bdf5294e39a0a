package console

import (
	"errors"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/goccy/go-json"

	"workman/store"
)

// mostBody is how many bytes the body of a request for a backup may have.
const mostBody = 64 << 10

// backUp is POST /backup: {"dir":"/an/absolute/path"}. It writes where the client says, so it is for this machine's own
// people only, and one at a time. It takes as long as it takes.
func (cfg *Config) backUp() http.HandlerFunc {
	var busy atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Dir string `json:"dir"`
		}
		in := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody))
		in.DisallowUnknownFields()
		if err := in.Decode(&body); err != nil {
			problem(w, http.StatusBadRequest, `the body must be JSON like {"dir":"/var/backups/workman"}: `+err.Error())
			return
		}
		if !filepath.IsAbs(body.Dir) || filepath.Clean(body.Dir) != body.Dir {
			problem(w, http.StatusBadRequest, "dir must be an absolute path in its shortest form, of a folder that is not there yet")
			return
		}
		if cfg.Backup == nil {
			problem(w, http.StatusNotImplemented, "there is nothing to copy: this server keeps nothing on a disk")
			return
		}
		if !cfg.Local {
			problem(w, http.StatusForbidden, "backups are made only by a server that listens on loopback alone, since a request says where "+
				"they are written: leave HOST at localhost, or copy the folder of a server that has ended")
			return
		}
		if !busy.CompareAndSwap(false, true) {
			problem(w, http.StatusConflict, "a backup is being made; try again when that is done")
			return
		}
		defer busy.Store(false)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // it may take longer than a page; without one there is none to lift
		if err := cfg.Backup(body.Dir); err != nil {
			status := http.StatusInternalServerError
			if errors.Is(err, store.ErrThere) {
				status = http.StatusConflict
			}
			problem(w, status, err.Error())
			return
		}
		answer(w, http.StatusOK, "application/json; charset=utf-8", map[string]any{"dir": body.Dir})
	}
}
