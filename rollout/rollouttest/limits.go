package rollouttest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// rates are the auditor's own books of when devices of one rollout were begun, of all of them and of each failure domain.
type rates struct {
	whole   []time.Time
	domains [][]time.Time
}

func newRates(p *rollout.Plan) rates { return rates{domains: make([][]time.Time, len(p.Domains))} }

// begin notes that device d was begun, and says which rate that breaks, if any.
func (r *rates) begin(p *rollout.Plan, d int32, at time.Time) error {
	r.whole = append(r.whole, at)
	if err := within(p.Policy.Rate, r.whole, at); err != nil {
		return err
	}
	for len(r.domains) < len(p.Domains) { // others have joined
		r.domains = append(r.domains, nil)
	}
	for _, n := range p.DomainsOf(int(d)) {
		r.domains[n] = append(r.domains[n], at)
		if err := within(p.Policy.Budgets[p.Domains[n].Budget].Rate, r.domains[n], at); err != nil {
			return fmt.Errorf("%s: %w", p.DomainName(n), err)
		}
	}
	return nil
}

func within(r policy.Rate, begun []time.Time, at time.Time) error {
	n := 0
	for _, t := range begun {
		if t.After(at.Add(-r.Every.Std())) {
			n++
		}
	}
	if r.Count > 0 && n > r.Count {
		return fmt.Errorf("begun as number %d, the rate is %s", n, r)
	}
	return nil
}

// giveBack takes back that device d was begun.
func (r *rates) giveBack(p *rollout.Plan, d int32, at time.Time) {
	forget := func(all []time.Time) []time.Time {
		if i := slices.IndexFunc(all, at.Equal); i >= 0 {
			return slices.Delete(all, i, i+1)
		}
		return all
	}
	r.whole = forget(r.whole)
	for _, n := range p.DomainsOf(int(d)) {
		r.domains[n] = forget(r.domains[n])
	}
}

// A place is a failure domain as all rollouts know it.
type place struct{ domain string }

func placeOf(p *rollout.Plan, n uint32) place {
	b := &p.Policy.Budgets[p.Domains[n].Budget]
	return place{strings.Join(append([]string{b.Devices.String(), string(p.Domains[n].Tenant), strings.Join(b.Per, ",")}, p.Domains[n].Values...), "\n")}
}

// disruption returns the devices that are disrupted in each failure domain, over all rollouts, those that are over too.
func disruption(runs []*driven) map[place]map[inventory.DeviceID]bool {
	all := make(map[place]map[inventory.DeviceID]bool)
	for _, r := range runs {
		p := &r.tape.plan
		if len(p.Domains) == 0 {
			continue
		}
		for d := range r.tape.live.Disrupted() {
			for _, n := range p.DomainsOf(int(d)) {
				at := placeOf(p, n)
				if all[at] == nil {
					all[at] = make(map[inventory.DeviceID]bool)
				}
				all[at][p.Devices[d]] = true
			}
		}
	}
	return all
}

// domains checks that the devices that r was granted have broken no budget: whoever was not disrupted before has found room.
func (d *driver) domains(r *driven, granted []int32, before map[place]map[inventory.DeviceID]bool) error {
	p := &r.tape.plan
	if len(p.Domains) == 0 {
		return nil
	}
	after := disruption(d.runs)
	for _, i := range granted {
		for _, n := range p.DomainsOf(int(i)) {
			at, id := placeOf(p, n), p.Devices[i]
			if after[at][id] && !before[at][id] && len(after[at]) > p.Limit(n) {
				return fmt.Errorf("%s: device %s: %d disrupted at %s, the budget is %d", p.Key, id, len(after[at]), p.DomainName(n), p.Limit(n))
			}
		}
	}
	return nil
}

// acknowledge lets a person know of the devices that failed in some failure domain, at the end of the instant. Where there are several
// rollouts it is in an instant that is drawn, or when nothing happens by itself any more. It says whether there were any: there is room now.
func (d *driver) acknowledge(all bool) (did bool, err error) {
	for i, r := range d.runs {
		m := r.tape.live
		if len(r.tape.plan.Domains) == 0 || m.Stage() == rollout.StageUnknown {
			continue
		}
		for _, dev := range slices.Collect(m.Disrupted()) {
			if m.Device(int(dev)).Outcome == rollout.Unsettled || !all && len(d.runs) > 1 && mix(d.cfg.Seed, d.steps, string(r.tape.plan.Devices[dev]))%8 > 0 {
				continue
			}
			c := rollout.Command{Do: rollout.DoAcknowledge, Device: r.tape.plan.Devices[dev], By: "inge"}
			err := d.step(i, rollout.Commanded{At: d.at(i), Command: c}, nil)
			if err != nil && !errors.Is(err, rollout.ErrCommand) {
				return did, err
			}
			did = did || err == nil
			m = r.tape.live // another one after a crash
		}
	}
	return did, nil
}
