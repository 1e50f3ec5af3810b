package rollout

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/patchflow/patchflow/internal/xxh64"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// maxStrata bounds how many strata the devices of a plan may belong to.
const maxStrata = 1 << 16

// Strata gathers the strata of devices for a [PlanInput]: the distinct values that they have under the keys of [policy.Policy.Strata]. A
// [Scope] does so by itself. It is made by [NewStrata], and is not safe for concurrent use.
type Strata struct {
	policy *policy.Policy
	values [][]string
	number map[string]uint16
}

// NewStrata makes an empty list for the strata of a policy.
func NewStrata(p *policy.Policy) *Strata {
	return &Strata{policy: p, number: make(map[string]uint16)}
}

// Of returns the number of the stratum of d, for its [Target].
func (s *Strata) Of(d *inventory.Device) uint16 {
	if len(s.policy.Strata) == 0 {
		return 0
	}
	values := s.policy.Stratum(d)
	name := stratumKey(nil, values)
	n, known := s.number[string(name)]
	if known {
		return n
	}
	n = uint16(len(s.values)) // too many of them [NewPlan] refuses
	s.number[string(name)] = n
	s.values = append(s.values, values)
	return n
}

// Fill puts the strata into in.
func (s *Strata) Fill(in *PlanInput) { in.Strata = s.values }

func stratumKey(key []byte, values []string) []byte {
	for _, v := range values {
		key = append(binary.AppendUvarint(key, uint64(len(v))), v...)
	}
	return key
}

// checkStrata says whether strata fit the policy.
func checkStrata(p *policy.Policy, strata [][]string) error {
	if len(p.Strata) > 0 && len(strata) == 0 {
		return errors.New("the policy has strata, but nothing says which of them the devices belong to")
	}
	if len(strata) > maxStrata {
		return fmt.Errorf("%d strata; at most %d", len(strata), maxStrata)
	}
	for i, values := range strata {
		if len(values) != len(p.Strata) || len(values) == 0 {
			return fmt.Errorf("stratum %d: %d values for %d keys", i, len(values), len(p.Strata))
		}
	}
	return nil
}

// validStrata says whether the strata of a plan that was stored fit together.
func (p *Plan) validStrata() error {
	if err := checkStrata(&p.Policy, p.Strata); err != nil {
		return err
	}
	if n := len(p.Stratum); n != 0 && len(p.Strata) == 0 || n != len(p.Devices) && len(p.Strata) > 0 {
		return fmt.Errorf("%d devices, %d strata of %d", len(p.Devices), n, len(p.Strata))
	}
	for i, s := range p.Stratum {
		if int(s) >= len(p.Strata) {
			return fmt.Errorf("device %s: stratum %d of %d", p.Devices[i], s, len(p.Strata))
		}
	}
	return nil
}

// strata returns how many devices of each stratum go to each ring with a size, a share or the rest, of which byShare says how many
// devices it gets: by ring, then by stratum. nil means that nothing is divided after strata.
func (in *PlanInput) strata(salt string, byShare []int) [][]int {
	if len(in.Strata) == 0 {
		return nil
	}
	sizes := make([]int, len(in.Strata))
	for i := range in.Targets {
		if t := &in.Targets[i]; t.Ring == ByShare {
			sizes[t.Stratum]++
		}
	}
	// Where one stratum has to yield to another that is like it, the hash says which, so that it is not the same in every rollout.
	seed := orderSeed(salt, in.Tenant)
	keys := make([]uint64, len(in.Strata))
	order := make([]int, len(in.Strata))
	for i, values := range in.Strata {
		keys[i], order[i] = xxh64.Sum(seed, string(stratumKey(nil, values))), i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(keys[a], keys[b]), slices.Compare(in.Strata[a], in.Strata[b]))
	})
	sorted := make([]int, len(order))
	for i, s := range order {
		sorted[i] = sizes[s]
	}
	parts := make([][]int, len(byShare))
	for r, row := range Stratify(byShare, sorted) {
		parts[r] = make([]int, len(order))
		for i, s := range order {
			parts[r][s] = row[i]
		}
	}
	return parts
}

// cuts hands the devices of a stratum, as they come, to the rings that get some of them.
type cuts struct {
	rings []int
	left  []int // by ring: how many more it gets
}

// newCuts makes the cuts of every stratum: one, if nothing is divided after strata.
func newCuts(byShare []int, parts [][]int) []cuts {
	all := make([]cuts, 1)
	if parts != nil {
		all = make([]cuts, len(parts[0]))
	}
	for s := range all {
		for r, n := range byShare {
			if parts != nil {
				n = parts[r][s]
			}
			if n > 0 {
				all[s].rings, all[s].left = append(all[s].rings, r), append(all[s].left, n)
			}
		}
	}
	return all
}

func (c *cuts) next() int {
	if c.left[0] == 0 {
		c.rings, c.left = c.rings[1:], c.left[1:]
	}
	c.left[0]--
	return c.rings[0]
}

// Stratify divides strata of these sizes among rings of these sizes: the element [r][s] of what it returns is how many devices of
// stratum s ring r gets. Both must have the same sum. Every ring gets exactly as many as it is to have, every stratum is used up, and
// every element is its exact quota, ring times stratum by all, rounded up or down.
//
// Rounding each stratum by itself would leave rings with too many or too few. Instead what is left of the quotas is moved around
// in circles: along a circle of elements that are not whole, which alternate between going up and going down, until one of them is
// whole; the sums of rings and strata stay as they are. There is always such a circle while an element is not whole, because the sums
// are whole: see L. H. Cox, A Constructive Procedure for Unbiased Controlled Rounding, Journal of the American Statistical
// Association 82 (1987), of which this is the deterministic form. Then rings exchange devices of two strata while that
// rounds larger remainders up; for two rings this is the method of the largest remainder.
func Stratify(rings, strata []int) [][]int {
	parts := make([][]int, len(rings))
	left := make([][]int64, len(strata)) // by stratum, by ring: the remainder of the quota
	up := make([][]bool, len(strata))
	all := 0
	for r, n := range rings {
		parts[r] = make([]int, len(strata))
		all += n
	}
	if all == 0 {
		return parts
	}
	c := circles{rings: len(rings), all: int64(all)}
	for s, n := range strata {
		left[s], up[s] = make([]int64, len(rings)), make([]bool, len(rings))
		for r, m := range rings {
			quota := uint64(n) * uint64(m)
			parts[r][s] = int(quota / uint64(all))
			left[s][r] = int64(quota % uint64(all))
		}
		c.add(stratum{left: slices.Clone(left[s]), up: up[s], joined: make([]bool, len(rings))})
	}
	exchange(left, up, len(rings))
	for s := range up {
		for r, is := range up[s] {
			if is {
				parts[r][s]++
			}
		}
	}
	return parts
}

// exchange lets every two rings swap what was rounded up and down in two strata, while the remainders that are rounded up become larger.
func exchange(left [][]int64, up [][]bool, rings int) {
	type offer struct {
		stratum int
		gain    int64
	}
	var give, take []offer // what the first of the rings would have one less, and one more of
	for changed := true; changed; {
		changed = false
		for a := range rings {
			for b := a + 1; b < rings; b++ {
				give, take = give[:0], take[:0]
				for s := range left {
					switch x, y := left[s][a], left[s][b]; {
					case x == 0 || y == 0 || up[s][a] == up[s][b]:
					case up[s][a]:
						give = append(give, offer{s, y - x})
					default:
						take = append(take, offer{s, x - y})
					}
				}
				most := func(x, y offer) int { return cmp.Compare(y.gain, x.gain) }
				slices.SortStableFunc(give, most)
				slices.SortStableFunc(take, most)
				for i := 0; i < min(len(give), len(take)) && give[i].gain+take[i].gain > 0; i++ {
					g, t := give[i].stratum, take[i].stratum
					up[g][a], up[g][b], up[t][a], up[t][b] = false, true, true, false
					changed = true
				}
			}
		}
	}
}

// circles holds the strata of which not all quotas are whole yet. Elements that are not whole join rings and strata; as every circle is
// broken as soon as it is closed, they make a forest, in which no stratum is a leaf once it was added: there are fewer strata than rings.
type circles struct {
	rings int
	all   int64 // what makes a whole
	open  []stratum

	before, queue []int // of a search
}

type stratum struct {
	left   []int64 // by ring: what its quota has above the whole
	up     []bool  // by ring: whether that became a whole
	joined []bool  // by ring: stands in the forest
}

// add takes a stratum in, and breaks every circle that it closes.
func (c *circles) add(n stratum) {
	c.open = append(c.open, n)
	last := len(c.open) - 1
	for r := range n.left {
		for n.left[r] > 0 && !n.joined[r] {
			circle := c.path(last, r)
			if circle == nil {
				n.joined[r] = true
				break
			}
			c.turn(append(circle, [2]int{last, r}))
		}
	}
	c.open = slices.DeleteFunc(c.open, func(s stratum) bool {
		return !slices.ContainsFunc(s.left, func(n int64) bool { return n > 0 })
	})
}

// path returns the elements on the way through the forest from a stratum to a ring, or nil if there is none. Rings are numbered from 0
// as nodes of the forest, strata after them.
func (c *circles) path(from, to int) [][2]int {
	c.before, c.queue = c.before[:0], c.queue[:0]
	for range c.rings + len(c.open) {
		c.before = append(c.before, -1)
	}
	reach := func(next, at int, joined bool) {
		if joined && c.before[next] < 0 {
			c.before[next] = at
			c.queue = append(c.queue, next)
		}
	}
	reach(c.rings+from, c.rings+from, true)
	for i := 0; i < len(c.queue); i++ {
		if at := c.queue[i]; at < c.rings {
			for s := range c.open {
				reach(c.rings+s, at, c.open[s].joined[at])
			}
		} else {
			for r, joined := range c.open[at-c.rings].joined {
				reach(r, at, joined)
			}
		}
	}
	if c.before[to] < 0 {
		return nil
	}
	var path [][2]int
	for at := to; at != c.rings+from; at = c.before[at] {
		r, s := at, c.before[at]
		if at >= c.rings {
			r, s = s, r
		}
		path = append(path, [2]int{s - c.rings, r})
	}
	slices.Reverse(path)
	return path
}

// turn moves what is left along a circle until one of its elements is whole. Every second of them rises.
func (c *circles) turn(circle [][2]int) {
	step := c.all
	for i, e := range circle {
		if n := c.open[e[0]].left[e[1]]; i%2 == 0 {
			step = min(step, c.all-n)
		} else {
			step = min(step, n)
		}
	}
	for i, e := range circle {
		s, r := &c.open[e[0]], e[1]
		if i%2 == 0 {
			s.left[r] += step
		} else {
			s.left[r] -= step
		}
		if s.left[r] == c.all {
			s.left[r], s.up[r] = 0, true
		}
		if s.left[r] == 0 {
			s.joined[r] = false
		}
	}
}
