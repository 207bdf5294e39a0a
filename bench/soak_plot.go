package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The plot's measures and colours.
const (
	plotWidth   = 9 * vg.Inch
	panelHeight = 1.55 * vg.Inch
	panelHead   = 0.24 * vg.Inch // for a panel's name and legend
	titleHeight = 0.62 * vg.Inch
	footHeight  = 0.35 * vg.Inch
	plotMargin  = 0.2 * vg.Inch
)

var (
	ink    = color.NRGBA{0x24, 0x29, 0x2f, 0xff}
	faint  = color.NRGBA{0xe4, 0xe7, 0xeb, 0xff}
	blue   = color.NRGBA{0x1f, 0x77, 0xb4, 0xff}
	green  = color.NRGBA{0x2c, 0x9c, 0x5a, 0xff}
	orange = color.NRGBA{0xe0, 0x7b, 0x1a, 0xff}
	red    = color.NRGBA{0xc8, 0x32, 0x3c, 0xff}
	grey   = color.NRGBA{0x8a, 0x93, 0x9d, 0xff}
)

// curve is a figure over time.
type curve struct {
	name   string
	colour color.Color
	value  func(sample) float64
	dashes []vg.Length
}

// panel is one of the plot's small multiples.
type panel struct {
	title  string
	log    bool // the scale is logarithmic
	curves []curve
}

// memoryPanel is the index of the panel with memory.
const memoryPanel = 2

// panels are what is drawn, from top to bottom.
func panels(o outcome) []panel {
	all := []panel{
		{"tasks/s", false, []curve{{"answered", blue, func(s sample) float64 { return s.Rate }, nil}}},
		{"latency, ms", true, []curve{
			{"p99.9", red, func(s sample) float64 { return s.P999 / 1000 }, nil},
			{"p99", orange, func(s sample) float64 { return s.P99 / 1000 }, nil},
			{"p50", green, func(s sample) float64 { return s.P50 / 1000 }, nil},
		}},
		{"server's memory, MB", false, []curve{
			{"RSS", blue, func(s sample) float64 { return float64(s.RSS) / 1e6 }, nil},
			{"heap and stacks", green, func(s sample) float64 { return float64(s.Anonymous) / 1e6 }, nil},
		}},
		{"descriptors", false, []curve{
			{"of the server", blue, func(s sample) float64 { return float64(s.FDs) }, nil},
			{"clients' connections", orange, func(s sample) float64 { return float64(s.Connections) }, nil},
			{"of the server before", grey, func(sample) float64 { return float64(o.before.FDs) }, []vg.Length{2, 2}},
		}},
		{"threads", false, []curve{{"of the server", blue, func(s sample) float64 { return float64(s.Threads) }, nil}}},
		{"CPU, cores", false, []curve{
			{"server", blue, func(s sample) float64 { return s.ServerCPU }, nil},
			{"bench", orange, func(s sample) float64 { return s.BenchCPU }, nil},
			{"others", grey, func(s sample) float64 { return s.Others }, nil},
		}},
	}
	if o.tellsGoroutines() {
		all[4].title = "threads, goroutines"
		all[4].curves = append(all[4].curves, curve{"goroutines", green, func(s sample) float64 { return float64(s.Goroutines) }, nil})
	}
	return all
}

// drawSoak writes the plot as SVG.
func drawSoak(path, title, below string, o outcome) error {
	if len(o.samples) == 0 {
		return nil
	}
	all := panels(o)
	plots := make([][]*plot.Plot, len(all))
	for i, p := range all {
		drawn, err := drawPanel(p, o.samples, i == len(all)-1)
		if err != nil {
			return fmt.Errorf("drawing %s: %w", p.title, err)
		}
		plots[i] = []*plot.Plot{drawn}
	}
	trend, err := drawTrend(plots[memoryPanel][0], o.samples)
	if err != nil {
		return err
	}
	all[memoryPanel].curves = append(all[memoryPanel].curves, trend)
	height := vg.Length(len(all))*panelHeight + titleHeight + footHeight
	canvas := vgsvg.New(plotWidth, height)
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	whole.FillText(style(14, ink), vg.Point{X: plotMargin, Y: height - 0.30*vg.Inch}, title)
	whole.FillText(style(9.5, grey), vg.Point{X: plotMargin, Y: height - 0.50*vg.Inch}, below)
	whole.FillText(style(9, grey), vg.Point{X: plotMargin, Y: 0.14 * vg.Inch},
		"Time since the load began. The dashed line is fitted to RSS over the last two thirds, which the verdict is about.")
	area := draw.Crop(whole, plotMargin, -plotMargin, footHeight, -titleHeight-panelHead)
	tiles := draw.Tiles{Rows: len(all), Cols: 1, PadY: panelHead + 0.06*vg.Inch}
	for i, row := range plot.Align(plots, tiles, area) {
		plots[i][0].Draw(row[0])
		drawHead(whole, area.Min.X, area.Max.X, row[0].Max.Y+0.09*vg.Inch, all[i])
	}
	return writeSVG(path, canvas)
}

// writeSVG saves a drawing.
func writeSVG(path string, canvas *vgsvg.Canvas) error {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return fmt.Errorf("drawing the plot: %w", err)
	}
	// A reader who lacks the font is not to see a serif one instead.
	text := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif"))
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("writing the plot that --svg asks for: %w", err)
	}
	return nil
}

// style is that of text.
func style(points float64, c color.Color) draw.TextStyle {
	return draw.TextStyle{Color: c, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(points)}, Handler: plot.DefaultTextHandler}
}

// drawPanel draws one of the small multiples. Only the last names the times.
func drawPanel(p panel, samples []sample, last bool) (*plot.Plot, error) {
	drawn := plot.New()
	dress(drawn)
	lo, hi := math.Inf(1), 0.0
	for _, c := range p.curves {
		points := make(plotter.XYs, 0, len(samples))
		for _, s := range samples {
			if v := c.value(s); !p.log || v > 0 {
				points = append(points, plotter.XY{X: s.At, Y: v})
				lo, hi = min(lo, v), max(hi, v)
			}
		}
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width, line.Dashes = c.colour, 1.2, c.dashes
		drawn.Add(line)
	}
	drawn.X.Min, drawn.X.Max = 0, samples[len(samples)-1].At
	drawn.X.Tick.Marker = times{labels: last}
	scale(drawn, p.log, lo, hi)
	return drawn, nil
}

// dress gives a plot its axes and grid.
func dress(drawn *plot.Plot) {
	for _, axis := range []*plot.Axis{&drawn.X, &drawn.Y} {
		axis.Color, axis.Tick.Color = grey, grey
		axis.Tick.Label.Font, axis.Tick.Label.Color = style(8.5, ink).Font, ink
		axis.Padding = 0
		axis.Tick.Length = 3
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	drawn.Add(grid)
}

// drawHead writes a panel's name above it, and what its lines are.
func drawHead(c draw.Canvas, left, x, y vg.Length, p panel) {
	c.FillText(style(10, ink), vg.Point{X: left, Y: y}, p.title)
	text := style(9, ink)
	for _, one := range slices.Backward(p.curves) {
		if len(p.curves) == 1 {
			return
		}
		x -= text.Width(one.name) * 1.15 // the reader's font may be wider
		c.FillText(text, vg.Point{X: x, Y: y}, one.name)
		line := draw.LineStyle{Color: one.colour, Width: 1.6, Dashes: one.dashes}
		c.StrokeLine2(line, x-20, y+3, x-5, y+3)
		x -= 34
	}
}

// scale sets the vertical axis: from zero if it is linear.
func scale(drawn *plot.Plot, log bool, lo, hi float64) {
	if !log {
		drawn.Y.Min, drawn.Y.Max = 0, max(hi*1.1, 0.1)
		drawn.Y.Tick.Marker = few{}
		return
	}
	if hi == 0 {
		lo, hi = 0.1, 1
	}
	drawn.Y.Scale = plot.LogScale{}
	first := math.Floor(math.Log10(lo))
	last := max(math.Ceil(math.Log10(hi)), first+1) // an axis has a length
	drawn.Y.Min, drawn.Y.Max = math.Pow(10, first), math.Pow(10, last)
	drawn.Y.Tick.Marker = decades{}
}

// drawTrend draws the line that the verdict on memory is about, and returns
// what the legend says of it.
func drawTrend(drawn *plot.Plot, samples []sample) (curve, error) {
	late := steady(samples)
	t := fit(late, func(s sample) float64 { return float64(s.RSS) })
	says := curve{fmt.Sprintf("RSS, fitted: %+.1f ± %.1f MB an hour", t.Slope*3600/1e6, t.Margin*3600/1e6), red, nil, []vg.Length{4, 2}}
	likely, _ := t.growth()
	line, err := plotter.NewLine(plotter.XYs{{X: late[0].At, Y: t.From / 1e6}, {X: late[0].At + t.Span, Y: (t.From + likely) / 1e6}})
	if err != nil {
		return says, err
	}
	line.Color, line.Width, line.Dashes = says.colour, 1.6, says.dashes
	drawn.Add(line)
	return says, nil
}

// times are ticks on whole seconds, minutes or hours.
type times struct{ labels bool }

// Ticks implements plot.Ticker.
func (t times) Ticks(lo, hi float64) (ticks []plot.Tick) {
	step := 1.0
	for _, step = range []float64{0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 4 * 86400} {
		if (hi-lo)/step <= 12 {
			break
		}
	}
	for at := math.Ceil(lo/step) * step; at <= hi; at += step {
		label := clock(at)
		if step < 1 {
			label = strconv.FormatFloat(at, 'f', 1, 64)
		}
		if !t.labels {
			label = " " // a tick without a label gets no line of the grid
		}
		ticks = append(ticks, plot.Tick{Value: at, Label: label})
	}
	return ticks
}

// few are three to six ticks on round numbers.
type few struct{}

// Ticks implements plot.Ticker.
func (few) Ticks(lo, hi float64) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/3)))
	for _, by := range []float64{5, 2} {
		if (hi-lo)/(step*by) >= 3 {
			step *= by
			break
		}
	}
	for i := 0; float64(i)*step <= hi; i++ {
		v := float64(i) * step
		label := strconv.FormatFloat(v, 'f', int(max(0, -math.Floor(math.Log10(step)))), 64)
		if step >= 1 {
			label = thousands(v)
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: label})
	}
	return ticks
}

// number is a power of ten as a label.
func number(v float64) string {
	if v >= 1 {
		return thousands(v)
	}
	return strconv.FormatFloat(v, 'g', 1, 64)
}

// decades are ticks at powers of ten, with unnamed ones between.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(lo, hi float64) (ticks []plot.Tick) {
	for power := math.Pow(10, math.Floor(math.Log10(lo))); power <= hi*1.0001; power *= 10 {
		ticks = append(ticks, plot.Tick{Value: power, Label: number(power)})
		for i := 2.0; i < 10; i++ {
			ticks = append(ticks, plot.Tick{Value: i * power})
		}
	}
	return ticks
}
