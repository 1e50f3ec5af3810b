package bench

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// A contest measures its sides in turn, round after round, and keeps the best time of each: a busy machine only ever adds
// to a time, so the least is the nearest to the truth.
type contest struct {
	name  string
	waits bool // waiting is the point: time on the wall is measured, and not processor time
	sides []side
	goals []goal

	least  int // rounds; 0 means leastRounds
	bounds []bound

	rounds int
	best   []time.Duration // by side
}

// A side is one of the things that a contest measures.
type side struct {
	name  string
	per   int    // how many things one run handles; times are told for one of them
	setup func() // before each run, not measured; nil for none
	run   func()
}

// A goal says that one side takes at most so many times what its peer takes.
type goal struct {
	side, peer string
	most       float64 // 0: nothing is promised, the ratio is only told
}

// A bound says that one of a side's things takes at most so long.
type bound struct {
	side string
	most time.Duration
}

// slack is by how much a ratio or a time may miss its goal before that is a failure: two runs differ that much on a busy machine.
const slack = 1.25

// round measures every side once. The collector is run before each and left on while it is measured.
func (c *contest) round() {
	if c.best == nil {
		c.best = make([]time.Duration, len(c.sides))
	}
	c.rounds++
	for i, s := range c.sides {
		if s.setup != nil {
			s.setup()
		}
		runtime.GC()
		if took := c.measure(s.run); c.rounds == 1 || took < c.best[i] {
			c.best[i] = took
		}
	}
}

func (c *contest) measure(run func()) time.Duration {
	if !c.waits {
		return busyWhile(run)
	}
	begin := time.Now()
	run()
	return time.Since(begin)
}

// busyWhile returns the processor time that run takes, or how long it takes where that is not known.
func busyWhile(run func()) time.Duration {
	begin := time.Now()
	busy, known := processorTime()
	run()
	if !known {
		return time.Since(begin)
	}
	now, _ := processorTime()
	return now - busy
}

// each returns the best time of a side for one of its things, in nanoseconds.
func (c *contest) each(name string) float64 {
	for i, s := range c.sides {
		if s.name == name {
			return float64(c.best[i].Nanoseconds()) / float64(s.per)
		}
	}
	panic(fmt.Sprintf("%s: no side %q", c.name, name))
}

func (c *contest) ratio(g goal) float64 { return c.each(g.side) / c.each(g.peer) }

// missed tells the goals and the bounds that are missed by more than the slack.
func (c *contest) missed() (missed []string) {
	for _, g := range c.goals {
		if g.most > 0 && c.ratio(g) > g.most*slack {
			missed = append(missed, fmt.Sprintf("%s takes %s of %s; the goal is %s", g.side, times(c.ratio(g)), g.peer, times(g.most)))
		}
	}
	for _, b := range c.bounds {
		if n := c.each(b.side); n > float64(b.most.Nanoseconds())*slack {
			missed = append(missed, fmt.Sprintf("%s takes %.1f ns; the goal is %v", b.side, n, b.most))
		}
	}
	return missed
}

// Rounds of [TestRatios]: the least that are run, and the most if a goal is still missed then.
const (
	leastRounds = 7
	mostRounds  = 21
)

// decide runs the rounds and fails t for every goal that is missed.
func (c *contest) decide(t *testing.T) {
	t.Helper()
	least, most := leastRounds, mostRounds
	if c.least > 0 {
		least, most = c.least, 3*c.least
	}
	for c.rounds < least || c.rounds < most && len(c.missed()) > 0 {
		c.round()
	}
	for _, m := range c.missed() {
		t.Errorf("%s: %s", c.name, m)
	}
}

// table writes what was measured, as a table of Markdown.
func (c *contest) table(w io.Writer) {
	fmt.Fprintf(w, "\n### %s\n\n", c.name)
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintf(tw, "| what\t| ns each\t| ratio\t| of\t| goal\t|\n|---\t|---\t|---\t|---\t|---\t|\n")
	for _, s := range c.sides {
		row := fmt.Sprintf("| %s\t| %.0f\t", s.name, c.each(s.name))
		told := false
		for _, b := range c.bounds {
			if b.side == s.name {
				told = true
				fmt.Fprintf(tw, "%s|\t|\t| %v\t|\n", row, b.most)
				row = "|\t|\t"
			}
		}
		for _, g := range c.goals {
			if g.side != s.name {
				continue
			}
			told = true
			fmt.Fprintf(tw, "%s| %s\t| %s\t| %s\t|\n", row, times(c.ratio(g)), g.peer, times(g.most))
			row = "|\t|\t"
		}
		if !told {
			fmt.Fprintf(tw, "%s|\t|\t|\t|\n", row)
		}
	}
	tw.Flush()
}

// times writes a ratio the way people say it: "1.8x", "1/75".
func times(r float64) string {
	switch {
	case r == 0:
		return "-"
	case r < 0.67:
		return fmt.Sprintf("1/%.*f", decimals(1/r), 1/r)
	case r >= 10:
		return fmt.Sprintf("%.0fx", r)
	}
	return fmt.Sprintf("%.2gx", r)
}

func decimals(n float64) int {
	if n < 10 && n != math.Round(n) {
		return 1
	}
	return 0
}

// bench runs a contest as a benchmark: one round for each loop. The metrics are the best time of each side and the ratios.
func bench(b *testing.B, build func(testing.TB) *contest) {
	c := build(b)
	for b.Loop() {
		c.round()
	}
	unit := strings.NewReplacer(" ", "-", ",", "").Replace
	b.ReportMetric(0, "ns/op") // of setups and all sides together: says nothing
	for _, s := range c.sides {
		b.ReportMetric(c.each(s.name), unit(s.name)+"-ns")
	}
	for _, g := range c.goals {
		b.ReportMetric(c.ratio(g), unit(g.side)+"/"+unit(g.peer))
	}
}
