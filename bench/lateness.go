package main

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// lateness is how late the schedules of a scenario were, in all rounds.
type lateness struct {
	scenario, system string
	all              *hdrhistogram.Histogram // in µs
}

// enterLateness adds a round's to those of the rounds before.
func enterLateness(all []lateness, scenario, system string, h *hdrhistogram.Histogram) []lateness {
	for _, l := range all {
		if l.scenario == scenario && l.system == system {
			l.all.Merge(h)
			return all
		}
	}
	return append(all, lateness{scenario, system, h})
}

// title says what it is of.
func (l lateness) title() string {
	return fmt.Sprintf("How late %s schedules were, in all rounds of %s on %s", thousands(float64(l.all.TotalCount())), l.scenario, l.system)
}

// band is those that were later than the band before it, and no later than upTo.
type band struct {
	upTo  int64 // µs
	count int64
}

// firstBand is the least that is told apart, in µs. Each band goes to twice the
// one before it.
const firstBand = 250

// bands are those from the first to the last that is not empty.
func (l lateness) bands() (all []band) {
	upTo := int64(firstBand)
	for _, bar := range l.all.Distribution() {
		if bar.Count == 0 {
			continue
		}
		for bar.To > upTo { // a bar of the histogram is narrower than a band by far
			if len(all) > 0 {
				all = append(all, band{upTo: 2 * upTo})
			}
			upTo *= 2
		}
		if len(all) == 0 {
			all = append(all, band{upTo: upTo})
		}
		all[len(all)-1].count += bar.Count
	}
	return all
}

// String is the band's name.
func (b band) String() string { return "≤ " + short(float64(b.upTo)/1000) + " ms" }

// most is the greatest count of some bands, at least 1.
func most(all []band) (n int64) {
	n = 1
	for _, b := range all {
		n = max(n, b.count)
	}
	return n
}

// barLength is that of the longest bar, in characters.
const barLength = 40

// writeLateness writes histograms of characters.
func writeLateness(b *strings.Builder, all []lateness) {
	for _, l := range all {
		fmt.Fprintf(b, "\n%s:\n", l.title())
		var rows [][]string
		bands := l.bands()
		for _, one := range bands {
			bar := strings.Repeat("█", int((one.count*barLength+most(bands)-1)/most(bands))) // one that is not empty shows
			rows = append(rows, []string{"  " + one.String(), bar, thousands(float64(one.count)), l.share(one)})
		}
		align(b, rows, 2)
	}
}

// share is a band's part of all.
func (l lateness) share(b band) string {
	return fmt.Sprintf("%.3f %%", 100*float64(b.count)/float64(max(l.all.TotalCount(), 1)))
}

// The measures of the drawing.
const (
	latenessNames  = 0.9 * vg.Inch
	latenessValues = 1.6 * vg.Inch
)

// drawLateness draws the histograms as SVG.
func drawLateness(path, below string, all []lateness) error {
	if len(all) == 0 {
		return fmt.Errorf("--lateness %s would be empty: measure the scenario due", path)
	}
	height := titleHeight + plotMargin
	for _, l := range all {
		height += groupHead + vg.Length(len(l.bands()))*barHeight
	}
	canvas := vgsvg.New(plotWidth, height)
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c.FillText(style(14, ink), vg.Point{X: plotMargin, Y: height - 0.30*vg.Inch}, "From being due to being in a worker's hands")
	c.FillText(style(8.5, grey), vg.Point{X: plotMargin, Y: height - 0.48*vg.Inch}, below)
	y := height - titleHeight
	for _, l := range all {
		c.FillText(style(10, ink), vg.Point{X: plotMargin, Y: y - 0.2*vg.Inch}, l.title())
		y -= groupHead
		bands := l.bands()
		for _, one := range bands {
			y -= barHeight
			left, whole := plotMargin+latenessNames, plotWidth-2*plotMargin-latenessNames-latenessValues
			end := left + whole*vg.Length(float64(one.count)/float64(most(bands)))
			low, high := y+0.025*vg.Inch, y+barHeight-0.025*vg.Inch
			c.FillPolygon(blue, []vg.Point{{X: left, Y: low}, {X: end, Y: low}, {X: end, Y: high}, {X: left, Y: high}})
			c.FillText(style(9, ink), vg.Point{X: plotMargin, Y: y + 0.05*vg.Inch}, one.String())
			c.FillText(style(8.5, ink), vg.Point{X: end + 4, Y: y + 0.05*vg.Inch}, thousands(float64(one.count))+", "+l.share(one))
		}
	}
	return writeSVG(path, canvas)
}
