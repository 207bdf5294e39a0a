package main

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// secondsPanel is one scenario: the tasks in each second, a line for each
// system.
type secondsPanel struct {
	panel
	lines [][]float64 // as many as curves
}

// secondsColours are those of the systems beside workman.
var secondsColours = []color.Color{orange, green, red, grey}

// secondsPanels are the last rounds of those results that have two whole
// seconds or more.
func secondsPanels(results []result) (all []secondsPanel) {
	for _, g := range groups(nil, results) {
		p := secondsPanel{panel: panel{title: g.name + ", tasks/s"}}
		others := 0
		for _, r := range g.results {
			seconds := r.Rounds[len(r.Rounds)-1].PerSecond
			if len(seconds) < 2 {
				continue
			}
			c := curve{name: r.System, colour: blue}
			if r.System != workman {
				c.colour = secondsColours[others%len(secondsColours)]
				others++
			}
			p.curves, p.lines = append(p.curves, c), append(p.lines, seconds)
		}
		if len(p.lines) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// drawSeconds draws what went on in each second of the last rounds, as SVG.
func drawSeconds(path, below string, results []result) error {
	all := secondsPanels(results)
	if len(all) == 0 {
		return fmt.Errorf("--plot %s would be empty: measure for two --seconds or more", path)
	}
	height := titleHeight + footHeight + vg.Length(len(all))*sweepHeight
	canvas := vgsvg.New(plotWidth, height)
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c.FillText(style(14, ink), vg.Point{X: plotMargin, Y: height - 0.30*vg.Inch}, "Second by second")
	c.FillText(style(8.5, grey), vg.Point{X: plotMargin, Y: height - 0.48*vg.Inch}, below)
	c.FillText(style(9, grey), vg.Point{X: plotMargin, Y: 0.14 * vg.Inch}, "Time since the warm-up ended, in the last round.")
	plots := make([][]*plot.Plot, len(all))
	for i, p := range all {
		drawn, err := p.draw()
		if err != nil {
			return fmt.Errorf("drawing %s: %w", p.title, err)
		}
		plots[i] = []*plot.Plot{drawn}
	}
	area := draw.Crop(c, plotMargin, -plotMargin, footHeight, -titleHeight-panelHead)
	tiles := draw.Tiles{Rows: len(all), Cols: 1, PadY: panelHead + 0.06*vg.Inch}
	for i, row := range plot.Align(plots, tiles, area) {
		plots[i][0].Draw(row[0])
		head := all[i].panel
		if len(head.curves) == 1 {
			head.title += ": " + head.curves[0].name
		}
		drawHead(c, area.Min.X, area.Max.X, row[0].Max.Y+0.09*vg.Inch, head)
	}
	return writeSVG(path, canvas)
}

// draw draws one panel. A second stands at its end.
func (p secondsPanel) draw() (*plot.Plot, error) {
	drawn := plot.New()
	dress(drawn)
	most, last := 0.0, 0
	for i, seconds := range p.lines {
		points := make(plotter.XYs, len(seconds))
		for at, n := range seconds {
			points[at] = plotter.XY{X: float64(at + 1), Y: n}
			most = max(most, n)
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = p.curves[i].colour, 1.2
		drawn.Add(line)
		last = max(last, len(seconds))
	}
	drawn.X.Min, drawn.X.Max = 0, float64(last)
	drawn.X.Tick.Marker = times{labels: true}
	scale(drawn, false, 0, most)
	return drawn, nil
}
