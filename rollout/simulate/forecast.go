package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/rollout"
)

// Config says what is forecast.
type Config struct {
	Plan  rollout.Plan
	Model Model
	Runs  int    // how often the plan is carried out; 0 means 20
	Seed  uint64 // the same seed gives the same forecast
	Clock Clock

	// Agenda makes the agenda of each run, with its limits. nil makes one without any.
	Agenda func() *rollout.Agenda

	// Observe is told each batch of each run, counted from 0: what a host would have written down. nil for nobody.
	Observe func(run int, b rollout.Batch)
}

// A Forecast is what many runs of a plan come to.
type Forecast struct {
	Runs  int            `json:"runs"`
	Rings []RingForecast `json:"rings"`
	Done  Times          `json:"done"` // when the rollout was done, of the runs in which it was
	Open  int            `json:"open"` // runs that were given up although they went on; see [Clock]
	Stops []StopForecast `json:"stops"`
	Hours []HourForecast `json:"hours"` // from the hour in which the plan was made, while any run went on

	Begun    Numbers           `json:"begun"`    // devices on which an installation was begun
	Bad      Numbers           `json:"bad"`      // devices that failed, those that were rolled back included
	Outcomes []OutcomeForecast `json:"outcomes"` // in their order; those that no device came to are left out
}

// A RingForecast says when a ring will be through.
type RingForecast struct {
	Name    string `json:"name"`
	Devices int    `json:"devices"`
	Opened  Times  `json:"opened"`
	Passed  Times  `json:"passed"`
}

// A StopForecast says how often a gate let the rollout go no further, and after how many devices.
type StopForecast struct {
	Ring  string  `json:"ring"`
	Code  string  `json:"code"` // as in [Stop]
	At    Times   `json:"at"`
	Begun Numbers `json:"begun"` // devices on which an installation had been begun by then
	Bad   Numbers `json:"bad"`   // devices that had failed by then
}

// An HourForecast says what devices will go through in an hour. A run that was over by then counts as 0.
type HourForecast struct {
	From     time.Time `json:"from"`
	Busy     Numbers   `json:"busy"` // the most devices that are being worked on at one time
	Begun    Numbers   `json:"begun"`
	Restarts Numbers   `json:"restarts"`
}

// An OutcomeForecast says how many devices will come to an outcome.
type OutcomeForecast struct {
	Outcome rollout.Outcome `json:"outcome"`
	Devices Numbers         `json:"devices"`
}

// Times are percentiles of when something happened, by the method of the nearest rank, over those runs in which it did.
// They are zero if it never did.
type Times struct {
	Runs int       `json:"runs"` // in which it happened
	P10  time.Time `json:"p10,omitzero"`
	P50  time.Time `json:"p50,omitzero"`
	P90  time.Time `json:"p90,omitzero"`
	Last time.Time `json:"last,omitzero"`
}

// Numbers are percentiles of a count over the runs, by the method of the nearest rank.
type Numbers struct {
	P10 int `json:"p10"`
	P50 int `json:"p50"`
	P90 int `json:"p90"`
	Max int `json:"max"`
}

// nearest returns the percentile of sorted values by the nearest rank: the least value that is not exceeded by at most
// 100-p percent of them.
func nearest[T any](sorted []T, p int) T { return sorted[max((p*len(sorted)+99)/100-1, 0)] }

func timesOf(all []time.Time) Times {
	all = slices.DeleteFunc(all, time.Time.IsZero)
	if len(all) == 0 {
		return Times{}
	}
	slices.SortFunc(all, time.Time.Compare)
	return Times{Runs: len(all), P10: nearest(all, 10), P50: nearest(all, 50), P90: nearest(all, 90), Last: all[len(all)-1]}
}

func numbersOf(all []int) Numbers {
	if len(all) == 0 {
		return Numbers{}
	}
	slices.Sort(all)
	return Numbers{P10: nearest(all, 10), P50: nearest(all, 50), P90: nearest(all, 90), Max: all[len(all)-1]}
}

// NewForecast carries a plan out many times. It fails if the plan or the model is not valid.
func NewForecast(cfg Config) (Forecast, error) {
	runs, err := Runs(cfg)
	if err != nil {
		return Forecast{}, err
	}
	return summary(&cfg.Plan, runs), nil
}

// Runs carries a plan out many times and returns every run, for those who want another summary than a [Forecast].
func Runs(cfg Config) ([]Run, error) {
	if cfg.Runs < 0 {
		return nil, fmt.Errorf("simulate: %d runs", cfg.Runs)
	}
	if err := cfg.Plan.Valid(); err != nil {
		return nil, err
	}
	model, err := newDrawn(&cfg.Model, &cfg.Plan)
	if err != nil {
		return nil, err
	}
	runs := make([]Run, cmp.Or(cfg.Runs, 20))
	for i := range runs {
		observe := func(rollout.Batch) {}
		if cfg.Observe != nil {
			observe = func(b rollout.Batch) { cfg.Observe(i, b) }
		}
		if runs[i], err = carryOut(cfg.Plan, model.run(cfg.Seed, i), cfg.Clock, cfg.Agenda, observe); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// each returns what f says of every run.
func each[T any](runs []Run, f func(*Run) T) []T {
	all := make([]T, len(runs))
	for i := range runs {
		all[i] = f(&runs[i])
	}
	return all
}

func summary(p *rollout.Plan, runs []Run) Forecast {
	f := Forecast{Runs: len(runs), Stops: stopsOf(p, runs)}
	for r := range p.Rings {
		f.Rings = append(f.Rings, RingForecast{Name: p.Rings[r].Name, Devices: p.Rings[r].Count,
			Opened: timesOf(each(runs, func(x *Run) time.Time { return x.Rings[r].Opened })),
			Passed: timesOf(each(runs, func(x *Run) time.Time { return x.Rings[r].Passed }))})
	}
	hours := 0
	for i := range runs {
		hours = max(hours, len(runs[i].Hours))
		if runs[i].Open {
			f.Open++
		}
	}
	f.Done = timesOf(each(runs, func(x *Run) time.Time {
		if x.Stage != rollout.StageDone {
			return time.Time{}
		}
		return x.Ended
	}))
	for h := range hours {
		of := func(what func(*HourRun) int) Numbers {
			return numbersOf(each(runs, func(x *Run) int {
				if h >= len(x.Hours) {
					return 0
				}
				return what(&x.Hours[h])
			}))
		}
		f.Hours = append(f.Hours, HourForecast{From: p.At.UTC().Truncate(time.Hour).Add(time.Duration(h) * time.Hour),
			Busy:     of(func(x *HourRun) int { return x.Busy }),
			Begun:    of(func(x *HourRun) int { return x.Begun }),
			Restarts: of(func(x *HourRun) int { return x.Restarts })})
	}
	f.Begun = numbersOf(each(runs, func(x *Run) int { return x.Begun }))
	f.Bad = numbersOf(each(runs, func(x *Run) int { return x.Bad }))
	for _, o := range rollout.Outcomes() {
		if n := numbersOf(each(runs, func(x *Run) int { return x.Outcomes[o] })); n.Max > 0 {
			f.Outcomes = append(f.Outcomes, OutcomeForecast{o, n})
		}
	}
	return f
}

// stopsOf gathers the stops by ring and code, in the order of the rings.
func stopsOf(p *rollout.Plan, runs []Run) (all []StopForecast) {
	type key struct{ ring, code string }
	var keys []key
	of := make(map[key][]Stop)
	for i := range runs {
		s, ok := runs[i].Stopped()
		if !ok {
			continue
		}
		k := key{s.Ring, s.Code}
		if of[k] == nil {
			keys = append(keys, k)
		}
		of[k] = append(of[k], s)
	}
	place := func(name string) int {
		return slices.IndexFunc(p.Rings, func(r rollout.PlannedRing) bool { return r.Name == name })
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(place(a.ring), place(b.ring)), cmp.Compare(a.code, b.code))
	})
	for _, k := range keys {
		s := StopForecast{Ring: k.ring, Code: k.code}
		var at []time.Time
		var begun, bad []int
		for _, x := range of[k] {
			at, begun, bad = append(at, x.At), append(begun, x.Begun), append(bad, x.Bad)
		}
		s.At, s.Begun, s.Bad = timesOf(at), numbersOf(begun), numbersOf(bad)
		all = append(all, s)
	}
	return all
}

// String tells the forecast in a few lines for people.
func (f Forecast) String() string {
	var b strings.Builder
	stamp := func(t time.Time) string { return t.UTC().Format("Mon 2 Jan 15:04") }
	span := func(t Times) string {
		return fmt.Sprintf("%s, nine times of ten by %s", stamp(t.P50), stamp(t.P90))
	}
	for _, r := range f.Rings {
		fmt.Fprintf(&b, "ring %s, %d devices: ", r.Name, r.Devices)
		if r.Passed.Runs == 0 {
			fmt.Fprintf(&b, "never through in %d runs\n", f.Runs)
			continue
		}
		fmt.Fprintf(&b, "through in %d of %d runs, %s\n", r.Passed.Runs, f.Runs, span(r.Passed))
	}
	for _, s := range f.Stops {
		fmt.Fprintf(&b, "stopped in ring %s (%s) in %d of %d runs, after %d devices, nine times of ten after at most %d; %d had failed\n",
			s.Ring, s.Code, s.At.Runs, f.Runs, s.Begun.P50, s.Begun.P90, s.Bad.P50)
	}
	if f.Open > 0 {
		fmt.Fprintf(&b, "not over in time in %d of %d runs\n", f.Open, f.Runs)
	}
	busiest := HourForecast{}
	for _, h := range f.Hours {
		if h.Busy.P90 > busiest.Busy.P90 {
			busiest = h
		}
	}
	if busiest.Busy.P90 > 0 {
		fmt.Fprintf(&b, "busiest hour %s: %d devices at once, nine times of ten at most %d\n", stamp(busiest.From), busiest.Busy.P50, busiest.Busy.P90)
	}
	return b.String()
}
