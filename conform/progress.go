package conform

import "github.com/schollz/progressbar/v3"

// progress shows how far Run is. With no writer it shows nothing.
type progress struct{ bar *progressbar.ProgressBar }

func newProgress(c Config) *progress {
	p := &progress{}
	if c.Progress != nil {
		p.bar = progressbar.NewOptions(len(checks(Sockets)), progressbar.OptionSetWriter(c.Progress), progressbar.OptionSetWidth(30),
			progressbar.OptionSetRenderBlankState(true),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false), progressbar.OptionSetDescription("starting"))
	}
	return p
}

// step is one more check. A bar that cannot be shown is no reason to stop.
func (p *progress) step(check string) {
	if p.bar != nil {
		p.bar.Describe("checking: " + check)
		_ = p.bar.Add(1)
	}
}

// of says how many there are.
func (p *progress) of(n int) {
	if p.bar != nil {
		p.bar.ChangeMax(n)
	}
}

func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
