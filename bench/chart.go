package main

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The chart's measures. It has a group of bars for each scenario, a bar for
// each system, and a column for each figure.
const (
	chartWidth  = 11 * vg.Inch
	barHeight   = 0.19 * vg.Inch
	groupHead   = 0.44 * vg.Inch // above the bars of a scenario
	columnHead  = 0.30 * vg.Inch // above all groups
	namesWidth  = 1.15 * vg.Inch // for the systems' names
	valuesWidth = 0.72 * vg.Inch // for the number behind a bar
	columnGap   = 0.22 * vg.Inch
)

// chartColumn is one of the figures that are drawn.
type chartColumn struct {
	name  string
	value func(round) float64
}

// chartColumns are they.
var chartColumns = []chartColumn{
	{"tasks/s (more is better)", rate},
	{"server CPU a task, µs (less is better)", serverCPU},
	{"p99 latency, µs (less is better)", p99},
}

// circumstances are the machine, and the disk if it matters.
func (s *suite) circumstances() string {
	m := thisMachine()
	text := fmt.Sprintf("%s, %d cores, %s.", m.CPU, m.Cores, m.Go)
	if s.data.kind != "" {
		text += " Runs on " + s.data.kind + "."
	}
	return text
}

// draw draws what --svg asks for.
func (s *suite) draw() error {
	below := s.circumstances() + fmt.Sprintf(" Medians of %d rounds, with minimum and maximum.", s.Rounds)
	if s.Sweep != "" {
		return drawSweep(s.SVG, s.Sweep, below, s.scenarios, s.results)
	}
	if s.Pin {
		below += " Servers and clients on cores of their own"
		if len(s.cores) <= 2 && slices.ContainsFunc(s.scenarios, func(sc scenario) bool { return sc.SameCore }) {
			below += ", but in s1"
		}
		below += "."
	}
	return drawChart(s.SVG, below, s.scenarios, s.results)
}

// chartGroup are the results of one scenario.
type chartGroup struct {
	name, what string
	results    []result
}

// groups sorts results by scenario, in their order.
func groups(scenarios []scenario, results []result) (all []chartGroup) {
	for _, r := range results {
		if len(all) == 0 || all[len(all)-1].name != r.Scenario {
			all = append(all, chartGroup{name: r.Scenario})
		}
		g := &all[len(all)-1]
		g.results = append(g.results, r)
		for _, sc := range scenarios {
			for _, part := range sc.parts() {
				if part.Name == r.Scenario {
					g.what = part.What
				}
			}
		}
	}
	return all
}

// drawChart draws systems side by side as SVG.
func drawChart(path, below string, scenarios []scenario, results []result) error {
	all := groups(scenarios, results)
	height := titleHeight + columnHead + plotMargin
	for _, g := range all {
		height += groupHead + vg.Length(len(g.results))*barHeight
	}
	canvas := vgsvg.New(chartWidth, height)
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c.FillText(style(14, ink), vg.Point{X: plotMargin, Y: height - 0.30*vg.Inch}, "Small tasks, there and back: systems side by side")
	c.FillText(style(9, grey), vg.Point{X: plotMargin, Y: height - 0.50*vg.Inch}, below)
	y := height - titleHeight - columnHead + 0.1*vg.Inch
	for i, column := range chartColumns {
		left, _ := chartCell(i)
		c.FillText(style(9.5, ink), vg.Point{X: left, Y: y}, column.name)
	}
	for _, g := range all {
		y -= groupHead
		drawGroup(c, y+groupHead, g)
		y -= vg.Length(len(g.results)) * barHeight
	}
	return writeSVG(path, canvas)
}

// chartCell is where the i-th column lies, and how long its bars may be.
func chartCell(i int) (left, length vg.Length) {
	width := (chartWidth - 2*plotMargin - namesWidth) / vg.Length(len(chartColumns))
	return plotMargin + namesWidth + vg.Length(i)*width, width - valuesWidth - columnGap
}

// drawGroup draws the bars of one scenario below y.
func drawGroup(c draw.Canvas, y vg.Length, g chartGroup) {
	line := y - 0.06*vg.Inch
	c.StrokeLine2(draw.LineStyle{Color: faint, Width: 0.8}, plotMargin, line, chartWidth-plotMargin, line)
	title := style(10, ink)
	c.FillText(title, vg.Point{X: plotMargin, Y: y - 0.27*vg.Inch}, g.name)
	c.FillText(style(8.5, grey), vg.Point{X: plotMargin + title.Width(g.name)*1.1 + 0.12*vg.Inch, Y: y - 0.27*vg.Inch}, g.what)
	y -= groupHead
	for n, r := range g.results {
		y -= barHeight
		c.FillText(style(9, ink), vg.Point{X: plotMargin, Y: y + 0.05*vg.Inch}, r.System)
		for i, column := range chartColumns {
			if most := chartScale(g.results, column.value); most > 0 {
				drawBar(c, i, y, g.results[n].of(column.value), most, r.System)
			}
		}
	}
}

// chartScale is the value that fills a column: the greatest, or four times what
// is usual, so that one system far behind does not hide the others.
func chartScale(results []result, figure func(round) float64) float64 {
	greatest, medians := 0.0, make([]float64, len(results))
	for i, r := range results {
		s := r.of(figure)
		greatest, medians[i] = max(greatest, s.Max), s.Median
	}
	return min(greatest, 4*spreadOf(medians).Median)
}

// drawBar draws one figure: a bar to the median, a whisker from the minimum to
// the maximum, and the median as a number. most is what fills the column; a bar
// that is longer is cut, and shows it.
func drawBar(c draw.Canvas, column int, y vg.Length, s spread, most float64, system string) {
	left, length := chartCell(column)
	at := func(v float64) vg.Length { return left + length*vg.Length(min(v/most, 1)) }
	if s.Max == 0 {
		c.FillText(style(8.5, grey), vg.Point{X: left, Y: y + 0.05*vg.Inch}, "not known")
		return
	}
	low, high, middle := y+0.025*vg.Inch, y+barHeight-0.025*vg.Inch, y+barHeight/2
	end := at(s.Median)
	c.FillPolygon(systemColour(system), []vg.Point{{X: left, Y: low}, {X: end, Y: low}, {X: end, Y: high}, {X: left, Y: high}})
	whisker := draw.LineStyle{Color: ink, Width: 0.8}
	if s.Median > most {
		cut := draw.LineStyle{Color: color.White, Width: 2.5}
		c.StrokeLine2(cut, end-14, low-1, end-8, high+1)
		c.StrokeLine2(cut, end-8, low-1, end-2, high+1)
	} else {
		c.StrokeLine2(whisker, at(s.Min), middle, at(s.Max), middle)
		for _, v := range []float64{s.Min, s.Max} {
			c.StrokeLine2(whisker, at(v), middle-2.2, at(v), middle+2.2)
		}
	}
	c.FillText(style(8.5, ink), vg.Point{X: at(s.Max) + 4, Y: y + 0.05*vg.Inch}, chartNumber(s.Median))
}

// chartNumber is a figure as short as it can be read.
func chartNumber(v float64) string {
	switch {
	case v >= 10_000:
		return compact(v)
	case v >= 100:
		return thousands(v)
	}
	return fmt.Sprintf("%.2f", v)
}

// systemColour makes workman stand out, and the limit stand back.
func systemColour(system string) color.Color {
	switch system {
	case workman:
		return blue
	case relay:
		return color.NRGBA{0xb9, 0xc0, 0xc8, 0xff}
	}
	return color.NRGBA{0xe3, 0xa8, 0x5c, 0xff}
}
