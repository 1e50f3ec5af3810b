package sequential

import (
	"cmp"
	"math"
)

// A Pair compares a treated group with a control group, block by block. Its zero value has seen nothing and has the e-value 1.
// The hypothesis that it gathers evidence against is that both fail at the same rate, whatever that is; it may be looked at after
// every block. Each block is weighed by rates that were estimated from the blocks before it, so a block must be
// made up without a look at its own outcomes: the next so many devices of each group in the order in which they were started.
//
// The e-variables are those of Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that allow
// for optional stopping", 2024, with the estimate (failures + g) / (outcomes + 2g).
type Pair struct {
	Smoothing float64 // the g of the estimate; 0 means 0.18, which they recommend. Not to be changed after the first block

	log              float64
	treated, control group
}

type group struct{ n, failures int }

func (g group) rate(smoothing float64) float64 {
	return (float64(g.failures) + smoothing) / (float64(g.n) + 2*smoothing)
}

// Add takes a block in: outcomes and the failures among them, of the treated and of the control group. A group without outcomes
// makes the block say nothing, but it is learned from. What makes no sense is passed over, and the result is false.
func (p *Pair) Add(treated, treatedFailures, control, controlFailures int) bool {
	a, b := group{treated, treatedFailures}, group{control, controlFailures}
	if a.failures < 0 || a.failures > a.n || b.failures < 0 || b.failures > b.n {
		return false
	}
	if a.n > 0 && b.n > 0 {
		smoothing := cmp.Or(p.Smoothing, 0.18)
		ra, rb := p.treated.rate(smoothing), p.control.rate(smoothing)
		same := (float64(a.n)*ra + float64(b.n)*rb) / float64(a.n+b.n)
		p.log += a.logLikelihood(ra) + b.logLikelihood(rb) - group{a.n + b.n, a.failures + b.failures}.logLikelihood(same)
	}
	p.treated = group{p.treated.n + a.n, p.treated.failures + a.failures}
	p.control = group{p.control.n + b.n, p.control.failures + b.failures}
	return true
}

func (g group) logLikelihood(rate float64) float64 {
	return float64(g.failures)*math.Log(rate) + float64(g.n-g.failures)*math.Log1p(-rate)
}

// Log returns the logarithm of the e-value so far.
func (p *Pair) Log() float64 { return p.log }

// Worse says whether the groups differ, with probability at most alpha of saying so at any time if they do not, and the
// treated group has failed more often.
func (p *Pair) Worse(alpha float64) bool {
	t, c := p.treated, p.control
	return p.log >= -math.Log(alpha) && float64(t.failures)*float64(c.n) > float64(c.failures)*float64(t.n)
}
