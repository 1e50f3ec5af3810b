package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// A chart shows the rings of a rollout over time, one row for each: how many devices are well, failed, rolled back or out
// of reach, in steps, over a strip that says what the ring was doing.
type chart struct {
	Width, Height int
	Plot          plot
	Rows          []chartRow
	Ticks         []tick
}

type plot struct{ Left, Right, Bottom int }

type chartRow struct {
	Name      string
	Devices   int
	Top, Base int // the upper edge of the row, and where its areas stand and the strip of its states begins
	Up        int // where its first line of text stands
	Bands     []band
	Areas     []area
}

// A band is a time in which a ring was in one state.
type band struct {
	Class, Title string
	X, W         float64
}

// An area is the path of one outcome, stacked on those below it.
type area struct {
	Class, Path, Title string
	Lined              bool // it has lines over its colour
}

type tick struct {
	X     float64
	Label string
}

const (
	chartWidth  = 960
	chartLeft   = 130
	chartRight  = 945
	rowHeight   = 56
	stripHeight = 8
	rowGap      = 18
	chartBottom = 26
)

func chartOf(h *history) chart {
	c := chart{Width: chartWidth, Plot: plot{Left: chartLeft, Right: chartRight}}
	if len(h.Moments) == 0 {
		return c
	}
	from, to := h.Moments[0].At, h.Moments[len(h.Moments)-1].At
	if !to.After(from) {
		to = from.Add(time.Minute)
	}
	x := func(t time.Time) float64 {
		return round(chartLeft + (chartRight-chartLeft)*float64(t.Sub(from))/float64(to.Sub(from)))
	}
	for r := range h.Plan.Rings {
		c.Rows = append(c.Rows, chartRowOf(h, r, x, to))
	}
	c.Plot.Bottom = len(c.Rows) * (rowHeight + stripHeight + rowGap)
	c.Height = c.Plot.Bottom + chartBottom
	for _, t := range ticks(from, to) {
		c.Ticks = append(c.Ticks, t.at(x))
	}
	return c
}

func round(v float64) float64 { return float64(int64(v*10+0.5)) / 10 }

func chartRowOf(h *history, r int, x func(time.Time) float64, to time.Time) chartRow {
	ring := &h.Plan.Rings[r]
	top := r*(rowHeight+stripHeight+rowGap) + rowGap/2
	row := chartRow{Name: ring.Name, Devices: ring.Count, Top: top, Base: top + rowHeight, Up: top + rowHeight/2}
	y := func(n int) float64 { return round(float64(row.Base) - rowHeight*float64(n)/float64(ring.Count)) }

	for i := 0; i < len(h.Moments); {
		state := h.Moments[i].Rings[r].State
		j := i + 1
		for j < len(h.Moments) && h.Moments[j].Rings[r].State == state {
			j++
		}
		end := to
		if j < len(h.Moments) {
			end = h.Moments[j].At
		}
		from := x(h.Moments[i].At)
		title := fmt.Sprintf("%s is %s: %s – %s", ring.Name, state, stamp(h.Moments[i].At), stamp(end))
		row.Bands = append(row.Bands, band{Class: state, Title: title, X: from, W: round(x(end) - from)})
		i = j
	}

	// Each layer stands on the sum of those before it.
	layers := []struct {
		class, words string
		of           func(rollout.Counts) int
	}{
		{"ok", "succeeded", func(c rollout.Counts) int { return c.Succeeded + c.NoNeed }},
		{"bad", "failed", func(c rollout.Counts) int { return c.Failed + c.Stuck }},
		{"back", "rolled back", func(c rollout.Counts) int { return c.RolledBack }},
		{"unknown", "unreachable", func(c rollout.Counts) int { return c.Lapsed }},
		{"active", "being worked on", func(c rollout.Counts) int { return c.Active }},
	}
	below := make([]int, len(h.Moments))
	for _, l := range layers {
		above, last, any := make([]int, len(h.Moments)), 0, false
		for i, m := range h.Moments {
			last = l.of(m.Rings[r].Counts)
			above[i] = below[i] + last
			any = any || last > 0
		}
		if any {
			title := fmt.Sprintf("%s: %d of %d %s in the end", ring.Name, last, ring.Count, l.words)
			row.Areas = append(row.Areas, area{Class: l.class, Path: stepArea(h.Moments, above, below, x, y, to),
				Title: title, Lined: l.class != "ok" && l.class != "active"})
		}
		below = above
	}
	return row
}

// stepArea is the path of the area between two lines of steps.
func stepArea(ms []moment, above, below []int, x func(time.Time) float64, y func(int) float64, to time.Time) string {
	type corner struct{ x, y float64 }
	outline := func(values []int) (line []corner) {
		for i, m := range ms {
			if i > 0 && values[i] == values[i-1] {
				continue
			}
			if i > 0 {
				line = append(line, corner{x(m.At), y(values[i-1])})
			}
			line = append(line, corner{x(m.At), y(values[i])})
		}
		return append(line, corner{x(to), y(values[len(values)-1])})
	}
	var b strings.Builder
	for i, p := range outline(above) {
		op := 'L'
		if i == 0 {
			op = 'M'
		}
		fmt.Fprintf(&b, "%c%g %g", op, p.x, p.y)
	}
	low := outline(below)
	for i := len(low) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "L%g %g", low[i].x, low[i].y)
	}
	b.WriteString("Z")
	return b.String()
}

// A mark on the axis of time.
type tickAt struct {
	t      time.Time
	layout string
}

func (t tickAt) at(x func(time.Time) float64) tick { return tick{x(t.t), t.t.Format(t.layout)} }

// ticks returns at most eight round instants between from and to, in UTC.
func ticks(from, to time.Time) (all []tickAt) {
	const limit = 8
	for _, step := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour,
		12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour} {
		if to.Sub(from)/step > limit-1 {
			continue
		}
		layout := "15:04"
		if step >= 24*time.Hour {
			layout = "Mon 2 Jan"
		}
		at := from.UTC().Truncate(step)
		for ; !at.After(to); at = at.Add(step) {
			if !at.Before(from) {
				all = append(all, tickAt{at, layout})
			}
		}
		break
	}
	return all
}

// A matrix shows one square for each device of a rollout, ring by ring.
type matrix struct {
	Width, Height int
	Rings         []matrixRing
}

type matrixRing struct {
	Name  string
	Y     int
	Cells []cell
}

type cell struct {
	X, Y        int
	Class, Mark string
	Title       string
}

const (
	cellSize    = 15
	cellStep    = 18
	cellsPerRow = 45
)

func matrixOf(h *history) matrix {
	m := matrix{Width: chartLeft + cellsPerRow*cellStep}
	y := 0
	for r := range h.Plan.Rings {
		ring := &h.Plan.Rings[r]
		row := matrixRing{Name: ring.Name, Y: y + cellSize - 3}
		for i := range ring.Count {
			d := ring.First + i
			o := h.outcome(d)
			title := fmt.Sprintf("%s: %s", h.Plan.Devices[d], o)
			if n := h.Devices[d].Attempts; n > 1 {
				title += fmt.Sprintf(", %d attempts", n)
			}
			row.Cells = append(row.Cells, cell{X: chartLeft + i%cellsPerRow*cellStep, Y: y + i/cellsPerRow*cellStep, Class: class(o), Mark: mark(o), Title: title})
		}
		y += (ring.Count+cellsPerRow-1)/cellsPerRow*cellStep + 10
		m.Rings = append(m.Rings, row)
	}
	m.Height = y
	return m
}
