package rollout

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/sequential"
)

// PatchOutcomes is what became of one patch on the devices of many tenants. It names none of them.
type PatchOutcomes struct {
	Patch   patch.ID `json:"patch"`
	Tenants int      `json:"tenants"` // that have begun it on a device
	Failing int      `json:"failing"` // of these, tenants with a failure
	Devices int      `json:"devices"` // on which it was begun, as far as that says something; those that have not answered are taken to be well
	Failed  int      `json:"failed"`
}

// Gathered brings what became of patches elsewhere, from a [Pool]. It can only halt the rollout, and only one whose ring asks for it
// (policy.Evidence.Pooled): if the failures of one of its patches prove that more devices fail than the ring tolerates, with the
// confidence of the ring shared among all patches of the plan, and if at least two tenants have them. A patch halts a
// rollout once: whoever resumes it has decided. Nothing that is gathered lets a ring pass.
type Gathered struct {
	At       time.Time
	Outcomes []PatchOutcomes
}

func (s Gathered) when() time.Time { return s.At }

// Pooled says that failures of a patch elsewhere halt the rollout, and on what evidence.
type Pooled struct {
	Ring     int // whose policy it is that decides
	Outcomes PatchOutcomes
	Above    float64 // e-value against the rate that the ring tolerates, in three digits
}

// gathered halts the rollout if what failed elsewhere proves enough.
func (m *Machine) gathered(all []PatchOutcomes) {
	if m.stage != StageActive {
		return
	}
	r := slices.IndexFunc(m.rings, func(r ring) bool { return r.state != ringPassed })
	if r < 0 {
		r = len(m.rings) - 1 // its late devices go on
	}
	w := m.rings[r].weighing
	if w == nil || !w.rule.Pooled {
		return
	}
	ours := m.plan.patches()
	limit := math.Log(float64(len(ours))) - math.Log(w.alpha)
	for _, o := range all {
		if o.Failing < 2 || o.Failing > o.Tenants || !slices.Contains(ours, o.Patch) || slices.Contains(m.pooled, o.Patch) {
			continue
		}
		log := sequential.LogAbove(o.Devices, o.Failed, rate(w.rule.Tolerate), sequential.HaltPrior())
		if log >= limit { // not so for counts that make no sense
			m.emit(Pooled{Ring: r, Outcomes: o, Above: digits(log)})
			m.halt(byPool, Command{})
			return
		}
	}
}

// patches returns the patches of the plan, each once.
func (p *Plan) patches() []patch.ID {
	var ids []patch.ID
	for i := range p.Contents {
		for j := range p.Contents[i].Patches {
			ids = append(ids, p.Contents[i].Patches[j].ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// A Pool adds up what became of patches in the rollouts of many tenants, and forgets whose they were when it tells. Its zero value
// is empty and ready to use. It is not safe for concurrent use.
type Pool struct{ counts []poolCount }

type poolCount struct {
	rollout         Key
	patch           patch.ID
	devices, failed int
}

// Tenants that a patch must have been begun for before a [Pool] tells anything of it: LeastTenants at the least, and CommonTenants if
// the caller names no number.
const (
	LeastTenants  = 3
	CommonTenants = 5
)

// Add counts the devices of a rollout; a second call for the same rollout takes the place of the first. A device that failed with
// several patches counts for each of them, since which of them it was is not known. It looks at every device.
func (p *Pool) Add(m *Machine) {
	p.counts = slices.DeleteFunc(p.counts, func(c poolCount) bool { return c.rollout == m.plan.Key })
	contents := make([]tally, len(m.plan.Contents))
	for d := range m.dev {
		contents[m.plan.Content[d]].add(m.weigh(int32(d)), 1)
	}
	ids := m.plan.patches()
	sums := make([]tally, len(ids))
	for i := range contents {
		for _, at := range m.plan.Contents[i].Patches {
			if s, found := slices.BinarySearch(ids, at.ID); found {
				sums[s].n += contents[i].n
				sums[s].failed += contents[i].failed
			}
		}
	}
	for i, s := range sums {
		if s.n > 0 {
			p.counts = append(p.counts, poolCount{m.plan.Key, ids[i], s.n, s.failed})
		}
	}
}

// Outcomes returns what became of each patch that at least so many tenants have begun, by the patches' names. Less than
// [LeastTenants] is taken as that, and 0 as [CommonTenants]. It tells sums and nothing else; a tenant that knows its own
// counts can take them away from the sums, which is why a patch of few tenants is not told at all.
func (p *Pool) Outcomes(tenants int) []PatchOutcomes {
	tenants = max(cmp.Or(tenants, CommonTenants), LeastTenants)
	counts := slices.Clone(p.counts)
	slices.SortFunc(counts, func(a, b poolCount) int {
		return cmp.Or(strings.Compare(string(a.patch), string(b.patch)), strings.Compare(string(a.rollout.Tenant), string(b.rollout.Tenant)))
	})
	var all []PatchOutcomes
	for i := 0; i < len(counts); {
		o := PatchOutcomes{Patch: counts[i].patch}
		for i < len(counts) && counts[i].patch == o.Patch {
			tenant, failed := counts[i].rollout.Tenant, 0
			for ; i < len(counts) && counts[i].patch == o.Patch && counts[i].rollout.Tenant == tenant; i++ {
				o.Devices += counts[i].devices
				failed += counts[i].failed
			}
			o.Tenants++
			o.Failed += failed
			if failed > 0 {
				o.Failing++
			}
		}
		if o.Tenants >= tenants {
			all = append(all, o)
		}
	}
	return all
}
