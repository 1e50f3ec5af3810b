package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// width is what a line may take.
const width = 100

// A screen prints the story. Only show is called from another goroutine.
type screen struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	opened   []time.Time // of each ring of the rollout that is going on
	closed   []bool
	bar      string // what the line that is updated in place shows
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		s.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

// line prints one line, broken where it is too long.
func (s *screen) line(format string, args ...any) { s.indented("", format, args...) }

// indented prints a line whose continuations are indented.
func (s *screen) indented(indent, format string, args ...any) {
	for _, part := range wrap(fmt.Sprintf(format, args...), indent) {
		fmt.Fprintln(s.w, part)
	}
}

// wrap breaks text at blanks into lines of at most width characters; only a word that is longer is not broken. All lines
// but the first begin with indent.
func wrap(text, indent string) (lines []string) {
	for {
		runes := []rune(text)
		at := min(width, len(runes))
		for at < len(runes) && at > 0 && runes[at] != ' ' {
			at--
		}
		if len(runes) <= width || strings.TrimSpace(string(runes[:at])) == "" {
			return append(lines, text)
		}
		lines = append(lines, strings.TrimRight(string(runes[:at]), " "))
		text = indent + strings.TrimLeft(string(runes[at:]), " ")
	}
}

func (s *screen) title(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(s.w, "\n%s\n%s\n\n", text, strings.Repeat("=", len(text)))
}

func (s *screen) baseline(b inventory.Baseline) {
	fmt.Fprint(s.w, b)
}

// proposal prints what the policy says, and the plan.
func (s *screen) proposal(p runner.Proposal) {
	for text := range strings.Lines(p.Summary.String()) {
		s.indented("  ", "%s", strings.TrimRight(text, "\n"))
	}
	fmt.Fprintln(s.w)
	for text := range strings.Lines(p.Plan.String()) {
		s.indented("     ", "%s", strings.TrimRight(text, "\n"))
	}
	fmt.Fprintln(s.w)
}

// show shows one bar for each ring of a rollout.
func (s *screen) show(t runner.Transition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Degraded != nil {
		s.over("rollout %s is degraded: %v\n", t.Key, t.Degraded)
		return
	}
	for _, e := range t.Batch.Events {
		switch e := e.(type) {
		case rollout.Began:
			s.opened, s.closed, s.bar = make([]time.Time, len(t.Plan.Rings)), make([]bool, len(t.Plan.Rings)), ""
		case rollout.RingOpened:
			s.opened[e.Ring] = t.Batch.At
		case rollout.RingDecided:
			s.over("  %s: %s %s by %s (%s)\n", stamp(t.Batch.At), t.Plan.Rings[e.Ring].Name, e.Decision.Ruling, e.Decision.By, e.Decision.Reason)
		}
	}
	for r := range t.Status.Rings {
		ring := &t.Status.Rings[r]
		switch {
		case s.closed[r] || s.opened[r].IsZero():
		case ring.Gate == rollout.Pass || t.Status.Stage.Final():
			s.closed[r] = true
			s.over("%s\n", s.progress(ring, s.opened[r], t.Batch.At))
		case s.terminal:
			s.bar = s.progress(ring, s.opened[r], t.Batch.At)
			fmt.Fprintf(s.w, "\r%s", s.bar)
		}
	}
}

// over prints a line in place of the bar that is being updated, if there is one.
func (s *screen) over(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if s.bar != "" {
		body := strings.TrimSuffix(text, "\n")
		text = "\r" + body + strings.Repeat(" ", max(0, len(s.bar)-len(body))) + "\n"
		s.bar = ""
	}
	fmt.Fprint(s.w, text)
}

// progress is the line of a ring: a bar of those that are well (#) and those that are not (x).
func (s *screen) progress(r *rollout.RingStatus, from, to time.Time) string {
	const cells = 16
	c := r.Counts
	good, bad := c.Succeeded+c.NoNeed, c.Bad()
	n := good * cells / c.Devices
	x := (bad*cells + c.Devices - 1) / c.Devices
	x = min(x, cells-n)
	text := fmt.Sprintf("  %-6s [%s%s%s] %4d of %d ok", r.Name, strings.Repeat("#", n), strings.Repeat("x", x), strings.Repeat(".", cells-n-x), good, c.Devices)
	for _, also := range []struct {
		n    int
		what string
	}{{c.Failed, "failed"}, {c.RolledBack, "rolled back"}, {c.Lapsed, "unreachable"}} {
		if also.n > 0 {
			text += fmt.Sprintf(", %d %s", also.n, also.what)
		}
	}
	gate := ""
	if r.Gate != rollout.Inconclusive {
		gate = "gate " + r.Gate.String()
	}
	return fmt.Sprintf("%-68s %-9s  %s", text, gate, span(from, to))
}

func stamp(t time.Time) string { return t.UTC().Format("Mon 2 Jan 15:04") }

func span(from, to time.Time) string { return from.UTC().Format("Mon 15:04") + "-" + until(from, to) }

// until returns the time of to, with its day if that is not the day of from.
func until(from, to time.Time) string {
	from, to = from.UTC(), to.UTC()
	if from.YearDay() == to.YearDay() {
		return to.Format("15:04")
	}
	return to.Format("Mon 15:04")
}

// ended prints how a rollout ended: by ring and outcome.
func (s *screen) ended(st rollout.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.w, "\nrollout %s is %s, %s UTC\n", st.Rollout, st.Stage, stamp(st.At))
	for _, r := range st.Rings {
		s.indented("          ", "  %-7s %s", r.Name, outcomes(r.Outcomes))
	}
}

// outcomes lists how many devices have which outcome, in the order of the outcomes.
func outcomes(n map[rollout.Outcome]int) string {
	var parts []string
	for _, o := range rollout.Outcomes() {
		if n[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[o], o))
		}
	}
	return strings.Join(parts, ", ")
}

func (s *screen) compliance(before, after compliance) {
	fmt.Fprintf(s.w, "\ndevices without missing security patches (what is unknown does not count as compliant)\n")
	for _, c := range []struct {
		when string
		compliance
	}{{"before", before}, {"after", after}} {
		fmt.Fprintf(s.w, "  %-7s %3d of %d: %.1f %%; %d miss some (%d of them held by the policy), %d unknown; %d excluded\n",
			c.when, c.Compliant, c.Denominator(), c.Percent(), c.Missing, c.Held, c.Unknown, c.Excluded)
	}
}

// timeline prints what the journal tells.
func (s *screen) timeline(h *history) {
	s.title("Timeline of %s, from the journal (UTC)", h.Plan.Key)
	for _, l := range h.Lines() {
		when, text := stamp(l.From), l.String()
		if l.Sum {
			text = "  " + text
			if !l.From.Equal(l.To) {
				text += ", until " + until(l.From, l.To)
			}
		}
		s.indented(strings.Repeat(" ", 18), "%-16s  %s", when, text)
	}
	for _, q := range h.Quarantine {
		s.indented("  ", "\nin quarantine: %s, %s", q.Patch, q.Reason)
	}
}
