package dispatch

import "encoding/binary"

// WhyCode says why a run is where it is.
type WhyCode uint8

// The codes.
const (
	WhyFinished  WhyCode = iota + 1 // nothing more happens to it
	WhyScheduled                    // its time has not come
	WhyRetrying                     // the time of its next attempt has not come
	WhyNobody                       // no worker has registered its name
	WhyBusy                         // workers have, and all have what they asked for
	WhyNext                         // it is about to be handed out
	WhyRunning                      // a worker has it
	WhyStopping                     // a worker has it, and was asked to stop
	WhyNotLoaded                    // it is on the disk only, and cannot be loaded: there is no room in memory, or the store does not answer
)

var whyNames = [...]string{"", "finished", "scheduled", "retrying", "nobody-registered", "workers-busy", "next", "running", "cancelling", "not-loaded"}

// String is the code on the wire.
func (c WhyCode) String() string { return whyNames[c] }

// Why explains a run.
type Why struct {
	View            // a short one
	Code    WhyCode //
	Ahead   int     // runs and calls of the same name that come before it
	AtLeast bool    // Ahead may be more: some of those are on the disk only
	Workers int     // connected ones that registered the name
	Ready   bool    // one of them is ready for a task of this name
	Since   int64   // wall clock: when its worker was handed it
}

// Append encodes it, for an effect's Body.
func (w *Why) Append(dst []byte) []byte {
	flags := byte(0)
	if w.AtLeast {
		flags |= 1
	}
	if w.Ready {
		flags |= 2
	}
	dst = append(dst, byte(w.Code), flags)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(w.Ahead)), uint64(w.Workers))
	return w.View.Append(binary.AppendVarint(dst, w.Since))
}

// DecodeWhy decodes an effect's Body. It returns ErrStored.
func DecodeWhy(b []byte) (w Why, err error) {
	in := reader{b: b}
	w.Code = WhyCode(in.byte())
	flags := in.byte()
	w.AtLeast, w.Ready = flags&1 != 0, flags&2 != 0
	w.Ahead, w.Workers, w.Since = int(in.uvarint()), int(in.uvarint()), in.varint()
	if in.bad || w.Code == 0 || int(w.Code) >= len(whyNames) {
		return Why{}, ErrStored
	}
	w.View, err = DecodeView(in.b)
	return w, err
}
