package sequential

import (
	"fmt"
	"math"
	"sort"
)

// A Table holds the boundary at which an e-process crosses, so that a judgement after each outcome is a comparison of two whole
// numbers. It holds one number per failure, not per outcome: for halting the most outcomes among which so many failures are
// too many, for passing the fewest among which so many are few enough. Numbers are worked out when first needed and kept, so
// that a ring of a million devices without failures costs nothing. Equal tables give equal answers, whatever they were
// asked before.
//
// A Table is not safe for concurrent use.
type Table struct {
	rate, limit float64
	prior       Prior
	least       int
	above       bool
	at          []int
}

// NewHalt returns the table for halting: it is crossed when [LogAbove] reaches 1/alpha and there are at least so many failures.
// Whatever the true rate is, if it is at most rate, the probability that it is ever crossed is at most alpha. A minimum of 2
// keeps a single failure from halting anything, and can only make a false halt rarer.
func NewHalt(rate, alpha float64, prior Prior, least int) (*Table, error) {
	return newTable(rate, alpha, prior, least, true)
}

// NewPass returns the table for passing: it is crossed when [LogBelow] reaches 1/alpha. If the true rate is at least
// rate, the probability that it is ever crossed is at most alpha.
func NewPass(rate, alpha float64, prior Prior) (*Table, error) {
	return newTable(rate, alpha, prior, 0, false)
}

func newTable(rate, alpha float64, prior Prior, least int, above bool) (*Table, error) {
	if !valid(0, 0, rate, prior) || !(alpha > 0 && alpha < 1) {
		return nil, fmt.Errorf("sequential: rate %v, alpha %v, prior Beta(%v, %v): want rate and alpha between 0 and 1, and a positive prior",
			rate, alpha, prior.A, prior.B)
	}
	return &Table{rate: rate, limit: -math.Log(alpha), prior: prior, least: least, above: above}, nil
}

// Crossed says whether so many failures among n outcomes cross the boundary. What makes no sense does not.
func (t *Table) Crossed(n, failures int) bool {
	if failures < 0 || failures > n {
		return false
	}
	if t.above && failures < t.least {
		return false
	}
	if failures >= len(t.at)+far {
		return t.closed(n, failures)
	}
	for failures >= len(t.at) {
		if known := len(t.at) - 1; known >= 0 && t.at[known] > n {
			return t.above // even fewer failures are too many
		}
		t.at = append(t.at, t.next())
	}
	if t.above {
		return n <= t.at[failures]
	}
	return n >= t.at[failures]
}

// far is how many failures more than ever before are judged by the closed form, which is then less work than the table.
const far = 256

// never is less than any number of outcomes.
const never = -1

// next works out the number for the first count of failures that has none.
func (t *Table) next() int {
	s := len(t.at)
	low, step := s, 1
	if s > 0 {
		low = max(s, t.at[s-1])
	}
	if s > 1 {
		step = max(1, t.at[s-1]-t.at[s-2])
	}
	if t.above {
		if !t.closed(low, s) {
			return never // not even if all fail
		}
		high := low + step
		for t.closed(high, s) {
			low, high, step = high, high+2*step, 2*step
		}
		return low + sort.Search(high-low-1, func(i int) bool { return !t.closed(low+i+1, s) })
	}
	high := low
	for !t.closed(high, s) {
		low, high, step = high+1, high+step, 2*step
	}
	return low + sort.Search(high-low, func(i int) bool { return t.closed(low+i, s) })
}

// closed is the closed form.
func (t *Table) closed(n, failures int) bool {
	if t.above {
		return LogAbove(n, failures, t.rate, t.prior) >= t.limit
	}
	return LogBelow(n, failures, t.rate, t.prior) >= t.limit
}

// Failures returns the boundary at n outcomes: for halting the fewest failures that halt, for passing the most that pass. It is
// false if no number of failures does.
func (t *Table) Failures(n int) (int, bool) {
	if t.above {
		s := sort.Search(n+1, func(s int) bool { return t.Crossed(n, s) })
		return s, s <= n
	}
	s := sort.Search(n+1, func(s int) bool { return !t.Crossed(n, s) })
	return s - 1, s > 0
}
