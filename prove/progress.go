package prove

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far Run is. With no writer it shows nothing.
type progress struct {
	book *Book
	bar  *progressbar.ProgressBar
}

func newProgress(c Config, b *Book) *progress {
	p := &progress{book: b}
	if c.Progress != nil {
		p.bar = progressbar.NewOptions(c.Kills+phases, progressbar.OptionSetWriter(c.Progress), progressbar.OptionSetWidth(30),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetRenderBlankState(true),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false), progressbar.OptionSetDescription("starting"))
	}
	return p
}

// phases are the steps after the last kill under load.
const phases = 2

// killed is one more step.
func (p *progress) killed() { p.phase("killing under load") }

// phase is one more step, and what comes now. A bar that cannot be shown is no reason to stop.
func (p *progress) phase(what string) {
	if p.bar == nil {
		return
	}
	accepted, faults := p.book.Sums()
	p.bar.Describe(fmt.Sprintf("%s: %d accepted, %d faults", what, accepted, faults))
	_ = p.bar.Add(1)
}

func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
