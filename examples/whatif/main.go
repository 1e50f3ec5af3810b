// Whatif asks what a rollout will come to before anything is touched, and afterwards what it would have come to under
// another policy. It learns from the journals of three past months, forecasts the next one, looks for the gate that would stop a
// bad patch, and holds the month that then went wrong against pilots of other sizes.
//
//	go run ./examples/whatif
//	go run ./examples/whatif -svg whatif.svg      # draws the forecast, too
//	go run ./examples/whatif -devices 5000
//
// The fleet and its months are made up (file fleet.go). In a product the journals are those that its host has kept.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Windows has no time zones of its own that Go could read

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/simulate"
)

const fewest, most = 200, 20000 // devices

func main() {
	switch err := run(os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, out, notes io.Writer) error {
	flags := flag.NewFlagSet("whatif", flag.ContinueOnError)
	flags.SetOutput(notes)
	devices := flags.Int("devices", 1500, fmt.Sprintf("how many devices the fleet has, %d to %d", fewest, most))
	svg := flags.String("svg", "", "a file to draw the forecast into")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("whatif: %q: want flags only", flags.Arg(0))
	case *devices < fewest || *devices > most:
		return fmt.Errorf("whatif: -devices %d: want %d to %d", *devices, fewest, most)
	}
	var drawing io.Writer = io.Discard
	if *svg != "" {
		f, err := os.Create(*svg)
		if err != nil {
			return err
		}
		defer f.Close()
		drawing = f
	}
	p := &printer{w: out}
	if err := tell(p, *devices, drawing); err != nil {
		return err
	}
	return p.err
}

// rings is the policy of the fleet, with a pilot of some size: a gate fails when more than 4 % of its ring have failed.
func rings(pilot policy.Share) policy.Policy {
	gate := policy.Gate{Denominator: policy.Reached, MaxFailed: 400, MinSuccess: 9000, MinSample: 10, Soak: policy.Duration(24 * time.Hour)}
	return policy.Policy{
		Name: "monthly",
		Rings: []policy.Ring{
			{Name: "pilot", Share: pilot, Gate: gate},
			{Name: "broad", Rest: true, Approval: true, Gate: gate},
		},
		Windows:   []policy.Window{{Start: 10 * 60, End: 16 * 60}},
		MaxActive: 250,
		Reboot:    policy.Reboot{Mode: policy.RebootIfRequired},
		Retry:     policy.Retry{OfflineEvery: policy.Duration(4 * time.Hour)},
	}
}

func tell(p *printer, devices int, drawing io.Writer) error {
	p.title("What the journals of three months say of %d devices", devices)
	var results rollout.Results
	model, err := simulate.Learn(osOf, counted(pastMonths(devices), &results))
	if err != nil {
		return err
	}
	p.model(&model)
	p.line("\n%s", strings.TrimSpace(results.String()))

	p.title("Forecast of the next month")
	plan, err := planOf(devices, rings(2000), 4)
	if err != nil {
		return err
	}
	cfg := simulate.Config{Plan: plan, Model: model, Runs: 20, Seed: 1}
	good, err := simulate.NewForecast(cfg)
	if err != nil {
		return err
	}
	p.rings(&good)
	p.hours(&good)
	if err := draw(drawing, &good); err != nil {
		return err
	}

	p.title("And if the patch breaks some of them?")
	p.line("%8s  %-34s %s", "breaks", "stopped by the gate of", "devices begun by then, at most in nine runs of ten")
	for _, chance := range []float64{0.02, 0.05, 0.10, 0.25} {
		cfg.Model.Rates = append(slices.Clone(model.Rates), breaks(chance))
		bad, err := simulate.NewForecast(cfg)
		if err != nil {
			return err
		}
		p.stops(chance, &bad)
	}

	p.title("The month came, and the patch broke one device of eight")
	recorded, err := badMonth(plan)
	if err != nil {
		return err
	}
	p.lines(recorded)
	p.line("\n%s", strings.TrimSpace(recorded.Results().String()))

	p.title("What if the pilot had been of another size?")
	p.line("%6s  %-22s %14s  %14s  %s", "pilot", "stopped in", "devices begun", "devices broken", "not known")
	for _, pilot := range []policy.Share{200, 500, 1000, 2000, 4000} {
		other, err := simulate.Replan(&plan, rings(pilot), nil)
		if err != nil {
			return err
		}
		c, err := simulate.Compare(simulate.CompareConfig{Recorded: recorded, Plan: other, Approval: model.Approval})
		if err != nil {
			return err
		}
		p.comparison(pilot, &c)
	}
	p.line("\nDevices that the rollout never came to have no outcome in the journal. Nothing is assumed of them: where there are")
	p.line("such, the numbers are from what would be if all of them had gone well to what would be if none had.")
	return nil
}

// breaks is a patch that leaves a share of the devices not working.
func breaks(chance float64) simulate.Rate {
	return simulate.Rate{Patch: patchOf(4), Op: rollout.OpVerify, Fault: patch.Permanent, Chance: chance, Lasts: true}
}

// pastMonths yields what the journals of three rollouts tell.
func pastMonths(devices int) iter.Seq2[*rollout.Timeline, error] {
	return func(yield func(*rollout.Timeline, error) bool) {
		for n := 1; n <= 3; n++ {
			plan, err := planOf(devices, rings(2000), n)
			if err != nil {
				yield(nil, err)
				return
			}
			if t, err := happened(plan, truth(), uint64(n)); !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// counted adds up what the timelines that it hands on came to.
func counted(months iter.Seq2[*rollout.Timeline, error], to *rollout.Results) iter.Seq2[*rollout.Timeline, error] {
	return func(yield func(*rollout.Timeline, error) bool) {
		for t, err := range months {
			if err == nil {
				to.Add(t.Results())
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// badMonth is the month with the bad patch.
func badMonth(plan rollout.Plan) (*rollout.Timeline, error) {
	m := truth()
	m.Rates = append(m.Rates, breaks(0.125))
	return happened(plan, m, 4)
}
