package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/simulate"
)

// A printer prints, and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

func (p *printer) title(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.line("\n%s\n%s\n", text, strings.Repeat("=", len(text)))
}

func stamp(t time.Time) string { return t.UTC().Format("Mon 2 Jan 15:04") }

func (p *printer) model(m *simulate.Model) {
	for _, r := range m.Rates {
		if r.Patch != "" {
			continue // those of each month: nothing of the next
		}
		how := "of the tries"
		if r.Lasts {
			how = "of the devices, every time"
		}
		what := r.Fault.String()
		if r.Fault == patch.NoFault {
			what = "not there"
		}
		p.line("%-6s %-8s %-10s %5.1f %% %s", r.OS, max(r.Op, rollout.OpInstall), what, 100*r.Chance, how)
	}
	for _, x := range m.Presence {
		if x.Gone {
			p.line("%-6s never reached         %5.1f %% of the devices", x.OS, 100*x.Share)
		} else {
			p.line("%-6s away                  %5.1f %% of the time, for %s", x.OS, 100*x.Away, x.Stretch.Round(time.Hour))
		}
	}
	p.line("restarts after %.0f %% of the installations", 100*m.Restarts)
	for _, d := range []struct {
		what string
		simulate.Durations
	}{{"an installation", m.Install}, {"a restart", m.Reboot}, {"an approval", m.Approval}} {
		if n := len(d.Durations); n > 0 {
			p.line("%-15s takes %s to %s, half of the time less than %s", d.what, d.Durations[0], d.Durations[n-1], d.Durations[n/2])
		}
	}
}

// rings shows for each ring from when to when it is through: the bar goes from the tenth to the ninetieth percentile.
func (p *printer) rings(f *simulate.Forecast) {
	const width = 60
	from, to := f.Hours[0].From, f.Hours[len(f.Hours)-1].From.Add(time.Hour)
	at := func(t time.Time) int { return int(t.Sub(from) * (width - 1) / to.Sub(from)) }
	for _, r := range f.Rings {
		bar := []byte(strings.Repeat(".", width))
		if r.Opened.Runs > 0 {
			for i := at(r.Opened.P50); i < width; i++ {
				bar[i] = '-'
			}
		}
		text := "never through"
		if r.Passed.Runs > 0 {
			for i := at(r.Passed.P10); i < width; i++ {
				bar[i] = '#'
			}
			text = fmt.Sprintf("through %s to %s", stamp(r.Passed.P10), stamp(r.Passed.P90))
			if r.Passed.Runs < f.Runs {
				text += fmt.Sprintf(", in %d of %d runs", r.Passed.Runs, f.Runs)
			}
		}
		p.line("%-6s %5d |%s| %s", r.Name, r.Devices, bar, text)
	}
	p.line("%12s  %-30s%30s", "", stamp(from), stamp(to))
	p.line("%12s  - open, # through in the best tenth of the runs; times are UTC", "")
	for _, o := range f.Outcomes {
		p.line("%-17s %d to %d devices", o.Outcome, o.Devices.P10, o.Devices.P90)
	}
}

// hours plots how many devices are disrupted at once. Hours with less than a twentieth of the busiest are left out.
func (p *printer) hours(f *simulate.Forecast) {
	p.line("\nDevices that are being worked on at once, by hour: # in half of the runs, + in one of ten")
	const width = 50
	top := 1
	for _, h := range f.Hours {
		top = max(top, h.Busy.P90)
	}
	quiet := func(i int) bool { return f.Hours[i].Busy.P90*20 < top }
	for i, h := range f.Hours {
		if quiet(i) {
			if i > 0 && !quiet(i-1) {
				p.line("%-16s ...", "")
			}
			continue
		}
		half, most := h.Busy.P50*width/top, h.Busy.P90*width/top
		p.line("%-16s %4d to %4d |%s%s", stamp(h.From), h.Busy.P50, h.Busy.P90, strings.Repeat("#", half), strings.Repeat("+", most-half))
	}
}

func (p *printer) stops(chance float64, f *simulate.Forecast) {
	breaks := fmt.Sprintf("%.0f %%", 100*chance)
	for _, s := range f.Stops {
		p.line("%8s  %-34s %4d, %d of them broken or failed", breaks, fmt.Sprintf("%s, in %d of %d runs", s.Ring, s.At.Runs, f.Runs), s.Begun.P90, s.Bad.P90)
		breaks = ""
	}
	if f.Done.Runs > 0 {
		p.line("%8s  %-34s %4d, %d of them broken or failed", breaks, fmt.Sprintf("none, in %d of %d runs", f.Done.Runs, f.Runs), f.Begun.P90, f.Bad.P90)
	}
}

// lines prints what the journal tells.
func (p *printer) lines(t *rollout.Timeline) {
	for _, l := range t.Lines() {
		indent := ""
		if l.Sum {
			indent = "  "
		}
		p.line("%-16s %s%s", stamp(l.From), indent, l)
	}
}

func (p *printer) comparison(pilot policy.Share, c *simulate.Comparison) {
	stopped := func(r *simulate.Run) string {
		if s, ok := r.Stopped(); ok {
			return s.Ring
		}
		return "none"
	}
	where := stopped(&c.Best)
	if worst := stopped(&c.Worst); !c.Certain {
		where += " or " + worst
	}
	span := func(a, b int) string {
		if a == b {
			return fmt.Sprint(a)
		}
		return fmt.Sprintf("%d to %d", min(a, b), max(a, b))
	}
	p.line("%6s  %-22s %14s  %14s  %d devices", pilot, where, span(c.Best.Begun, c.Worst.Begun), span(c.Best.Bad, c.Worst.Bad), c.Unknown)
}
