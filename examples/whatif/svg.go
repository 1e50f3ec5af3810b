package main

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/patchflow/patchflow/rollout/simulate"
)

// Sizes of the drawing, in pixels.
const (
	drawingWidth = 960
	plotLeft     = 90
	plotRight    = 940
	rowHeight    = 26
	columnsHigh  = 180
)

// draw draws a forecast: for each ring a bar from its opening to its end, pale between the tenth and the ninetieth percentile
// of that, and below them how many devices are worked on at once in each hour, pale in one run of ten.
func draw(w io.Writer, f *simulate.Forecast) error {
	from, to := f.Hours[0].From, f.Hours[len(f.Hours)-1].From.Add(time.Hour)
	x := func(t time.Time) float64 {
		return plotLeft + (plotRight-plotLeft)*float64(t.Sub(from))/float64(to.Sub(from))
	}
	var b strings.Builder
	rect := func(x0, y, x1, height float64, class, title string) {
		fmt.Fprintf(&b, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s</title></rect>\n",
			class, x0, y, max(x1-x0, 0.5), height, html.EscapeString(title))
	}
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, html.EscapeString(s))
	}
	y := 10.
	for _, r := range f.Rings {
		text(plotLeft-8, y+rowHeight/2, "end", r.Name)
		if r.Opened.Runs > 0 && r.Passed.Runs > 0 {
			rect(x(r.Opened.P50), y, x(r.Passed.P50), rowHeight-8, "half", fmt.Sprintf("%s: through %s in half of the runs", r.Name, stamp(r.Passed.P50)))
			rect(x(r.Passed.P10), y, x(r.Passed.P90), rowHeight-8, "most", fmt.Sprintf("%s: through %s to %s", r.Name, stamp(r.Passed.P10), stamp(r.Passed.P90)))
		}
		y += rowHeight
	}
	top := 1
	for _, h := range f.Hours {
		top = max(top, h.Busy.P90)
	}
	base := y + columnsHigh + 10
	for _, h := range f.Hours {
		title := fmt.Sprintf("%s: %d devices at once, nine times of ten at most %d", stamp(h.From), h.Busy.P50, h.Busy.P90)
		for _, c := range []struct {
			n     int
			class string
		}{{h.Busy.P90, "most"}, {h.Busy.P50, "half"}} {
			if height := columnsHigh * float64(c.n) / float64(top); c.n > 0 {
				rect(x(h.From), base-height, x(h.From.Add(time.Hour))-1, height, c.class, title)
			}
		}
	}
	text(plotLeft-8, base-columnsHigh+4, "end", fmt.Sprint(top))
	text(plotLeft-8, base, "end", "0")
	for day := from.Truncate(24 * time.Hour); day.Before(to); day = day.AddDate(0, 0, 1) {
		if !day.Before(from) {
			fmt.Fprintf(&b, "<line x1=\"%.1f\" y1=\"10\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x(day), x(day), base)
			text(x(day), base+16, "middle", day.Format("Mon 2 Jan"))
		}
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" role="img" aria-label="Forecast by ring and hour">
<style>text{font:12px sans-serif;fill:#333}line{stroke:#ccc}.half{fill:#2b6cb0}.most{fill:#2b6cb0;opacity:.35}</style>
%s</svg>
`, drawingWidth, base+30, drawingWidth, b.String())
	return err
}
