package store

import (
	"errors"
	"fmt"
)

var (
	// ErrFull is returned when as many bytes wait to be durable as may: trying again later makes sense.
	ErrFull = errors.New("store: too much waits to be written")
	// ErrTooLarge is returned for a batch, a key or a value that the store could never take.
	ErrTooLarge = errors.New("store: too large")
	// ErrFailed is returned once a write has failed: nothing is made durable any more until the folder is opened anew.
	// It wraps the failure.
	ErrFailed = errors.New("store: a write has failed, and nothing more is made durable until the server is started again")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("store: closed")
	// ErrInUse is returned when another process has the folder open.
	ErrInUse = errors.New("store: the folder is in use by another server: stop that one, or give this one another folder")
	// ErrThere is returned for a backup into a folder that is there.
	ErrThere = errors.New("is there already")
	// ErrNewer is returned for a folder that a newer version has written. It is left as it is.
	ErrNewer = errors.New("store: the folder was written by a newer version: use that version, or another folder")
	// ErrDamaged is returned when something that was written is not there any more, or not as it was written. Nothing
	// has been changed. The error says which file, and where in it.
	ErrDamaged = errors.New("store: damaged")
)

// damaged says what is wrong with which file.
func damaged(file string, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrDamaged, file, fmt.Sprintf(format, args...))
}
