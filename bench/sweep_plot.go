package main

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// sweepHeight is that of one panel of a sweep's plot.
const sweepHeight = 2.1 * vg.Inch

// sweepFigure is one panel of it.
type sweepFigure struct {
	chartColumn
	log bool // the scale is logarithmic
}

// sweepFigures are what the plot of a sweep shows.
func sweepFigures(axis string) []sweepFigure {
	if axis == "payload" {
		bytes := func(r round) float64 { return r.Bytes / 1e6 }
		return []sweepFigure{{chartColumn{"server CPU a task, µs", serverCPU}, true},
			{chartColumn{"MB/s of options and results", bytes}, false}, {chartColumn{"p99 latency, µs", p99}, true}}
	}
	return []sweepFigure{{chartColumn{"server CPU a task, µs", serverCPU}, false},
		{chartColumn{"tasks/s", rate}, false}, {chartColumn{"p99 latency, µs", p99}, false}}
}

// series is one line of a sweep: a system, and a kind of payload.
type series struct {
	curve
	results []result // by place on the axis
	places  []int
}

// drawSweep draws how figures grow along an axis, as SVG.
func drawSweep(path, axis, below string, points []scenario, results []result) error {
	places, lines := sweepSeries(points, results)
	if len(lines) == 0 {
		return nil
	}
	figures := sweepFigures(axis)
	height := titleHeight + footHeight + vg.Length(len(figures))*sweepHeight
	canvas := vgsvg.New(plotWidth, height)
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c.FillText(style(14, ink), vg.Point{X: plotMargin, Y: height - 0.30*vg.Inch}, "How the cost grows: "+axis)
	c.FillText(style(8.5, grey), vg.Point{X: plotMargin, Y: height - 0.48*vg.Inch}, below)
	c.FillText(style(9, grey), vg.Point{X: plotMargin, Y: 0.14 * vg.Inch}, "Along the axis: "+sweepWhat(axis)+". The distances are not to scale.")
	plots := make([][]*plot.Plot, len(figures))
	for i, figure := range figures {
		drawn, err := drawSweepPanel(figure, places, lines)
		if err != nil {
			return fmt.Errorf("drawing %s: %w", figure.name, err)
		}
		plots[i] = []*plot.Plot{drawn}
	}
	area := draw.Crop(c, plotMargin, -plotMargin, footHeight, -titleHeight-panelHead)
	tiles := draw.Tiles{Rows: len(figures), Cols: 1, PadY: panelHead + 0.06*vg.Inch}
	for i, row := range plot.Align(plots, tiles, area) {
		plots[i][0].Draw(row[0])
		head := panel{title: figures[i].name}
		for _, line := range lines {
			head.curves = append(head.curves, line.curve)
		}
		drawHead(c, area.Min.X, area.Max.X, row[0].Max.Y+0.09*vg.Inch, head)
	}
	return writeSVG(path, canvas)
}

// sweepWhat says what an axis is.
func sweepWhat(axis string) string {
	for _, a := range sweepAxes {
		if a.name == axis {
			return a.what
		}
	}
	return axis
}

// sweepSeries sorts results into lines, and lists the places on the axis.
func sweepSeries(points []scenario, results []result) (places []int, lines []series) {
	for _, sc := range points {
		if !slices.Contains(places, sc.Point.At) {
			places = append(places, sc.Point.At)
		}
		for _, r := range results {
			if r.Scenario != sc.Name {
				continue
			}
			name := r.System
			if sc.Point.Series != "" {
				name += ", " + sc.Point.Series
			}
			i := slices.IndexFunc(lines, func(l series) bool { return l.name == name })
			if i < 0 {
				i = len(lines)
				lines = append(lines, series{curve: curve{name: name, colour: systemColour(r.System)}})
				if strings.HasSuffix(name, jsonPayload) {
					lines[i].dashes = []vg.Length{4, 2}
				}
			}
			lines[i].results = append(lines[i].results, r)
			lines[i].places = append(lines[i].places, sc.Point.At)
		}
	}
	slices.Sort(places)
	return places, lines
}

// drawSweepPanel draws one figure of all lines, with whiskers.
func drawSweepPanel(figure sweepFigure, places []int, lines []series) (*plot.Plot, error) {
	drawn := plot.New()
	dress(drawn)
	least, most := math.Inf(1), 0.0
	for _, line := range lines {
		points := make(spreads, len(line.results))
		for i, r := range line.results {
			points[i] = spreadAt{float64(slices.Index(places, line.places[i])), r.of(figure.value)}
			least, most = min(least, points[i].Min), max(most, points[i].Max)
		}
		path, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		whiskers, err := plotter.NewYErrorBars(points)
		if err != nil {
			return nil, err
		}
		path.Color, path.Width, path.Dashes = line.colour, 1.4, line.dashes
		dots.Color, dots.Radius, dots.Shape = line.colour, 2.2, draw.CircleGlyph{}
		whiskers.Color, whiskers.Width, whiskers.CapWidth = line.colour, 0.8, 5
		drawn.Add(path, dots, whiskers)
	}
	drawn.X.Min, drawn.X.Max = -0.25, float64(len(places))-0.75
	drawn.X.Tick.Marker = named(places)
	scale(drawn, figure.log && least > 0, least, most)
	return drawn, nil
}

// spreadAt is a figure at a place.
type spreadAt struct {
	x float64
	spread
}

// spreads are the points of a line, as gonum's plotters take them.
type spreads []spreadAt

// Len implements plotter.XYer.
func (s spreads) Len() int { return len(s) }

// XY implements plotter.XYer.
func (s spreads) XY(i int) (x, y float64) { return s[i].x, s[i].Median }

// YError implements plotter.YErrorer.
func (s spreads) YError(i int) (below, above float64) {
	return s[i].Median - s[i].Min, s[i].Max - s[i].Median
}

// named are ticks at 0, 1, 2 … that are called what the numbers say.
type named []int

// Ticks implements plot.Ticker.
func (n named) Ticks(float64, float64) (ticks []plot.Tick) {
	for i, v := range n {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: thousands(float64(v))})
	}
	return ticks
}
