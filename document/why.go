package document

import (
	"fmt"
	"strconv"

	"workman/dispatch"
)

// AppendWhy appends why a run is where it is: {"id","task","state","reason","detail"} and, where they say something, "due",
// "since", "ahead" (at least so many, if "at_least" is true) and "workers". Decide by reason; detail is for people.
func AppendWhy(dst []byte, w *dispatch.Why) []byte {
	dst = AppendShort(dst, &w.View)
	dst = append(append(dst[:len(dst)-1], `,"reason":"`...), w.Code.String()...)
	dst = AppendText(append(dst, `","detail":`...), whyText(w))
	switch w.Code {
	case dispatch.WhyScheduled, dispatch.WhyRetrying:
		dst = appendTime(dst, `,"due":`, w.Due)
	case dispatch.WhyRunning, dispatch.WhyStopping:
		dst = appendTime(dst, `,"since":`, w.Since)
	case dispatch.WhyNobody, dispatch.WhyBusy, dispatch.WhyNext, dispatch.WhyNotLoaded:
		dst = strconv.AppendInt(append(dst, `,"ahead":`...), int64(w.Ahead), 10)
		if w.AtLeast {
			dst = append(dst, `,"at_least":true`...)
		}
		dst = strconv.AppendInt(append(dst, `,"workers":`...), int64(w.Workers), 10)
	}
	return append(dst, '}')
}

// whyText says it in a sentence.
func whyText(w *dispatch.Why) string {
	switch w.Code {
	case dispatch.WhyFinished:
		return "it is " + w.State.String() + ": nothing more happens to it"
	case dispatch.WhyScheduled:
		return "its time has not come"
	case dispatch.WhyRetrying:
		return "an attempt failed, and the time of the next has not come; POST /runs/{id}/retry tries it at once"
	case dispatch.WhyNobody:
		return "no worker that is connected has registered its task"
	case dispatch.WhyBusy:
		who := fmt.Sprintf("each of the %d workers", w.Workers)
		if w.Workers == 1 {
			who = "the one worker"
		}
		return who + " that registered its task has as many as it asked for; " + aheadText(w)
	case dispatch.WhyNext:
		return "a worker is ready for a task like it; " + aheadText(w)
	case dispatch.WhyNotLoaded:
		return "it is on the disk only, and there is no room for it in memory (--max-tasks, --max-runs, --max-bytes), or the disk could not be read; " +
			"it is tried again ten times a second"
	case dispatch.WhyRunning:
		return "a worker has it"
	case dispatch.WhyStopping:
		return "a worker has it, and was asked to stop"
	}
	return "nothing is known of it"
}

func aheadText(w *dispatch.Why) string {
	come := "come"
	if w.Ahead == 1 {
		come = "comes"
	}
	text := fmt.Sprintf("%d %s before it", w.Ahead, come)
	if w.AtLeast {
		return "at least " + text
	}
	return text
}
