package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Tally counts judgements. The zero Tally is empty and ready to use. It is not safe for concurrent use; workers count
// for themselves and [Tally.Merge] their tallies.
type Tally struct {
	Total    int             `json:"total"`
	Verdicts map[Verdict]int `json:"verdicts,omitempty"`
	Rules    map[string]int  `json:"rules,omitempty"` // by the name of the rule that decided; without those that none did
}

// Add counts j.
func (t *Tally) Add(j Judgement) {
	t.Total++
	t.verdict(j.Verdict, 1)
	if j.Rule != "" {
		t.rule(j.Rule, 1)
	}
}

// Merge adds the counts of o.
func (t *Tally) Merge(o Tally) {
	t.Total += o.Total
	for v, n := range o.Verdicts {
		t.verdict(v, n)
	}
	for name, n := range o.Rules {
		t.rule(name, n)
	}
}

func (t *Tally) verdict(v Verdict, n int) {
	if t.Verdicts == nil {
		t.Verdicts = make(map[Verdict]int)
	}
	t.Verdicts[v] += n
}

func (t *Tally) rule(name string, n int) {
	if t.Rules == nil {
		t.Rules = make(map[string]int)
	}
	t.Rules[name] += n
}

// String returns the counts on one line, the same for equal tallies: "5 findings: 3 approve, 1 defer, 1 no-decision; by
// rule: security 3, wait 1". Verdicts come from approve down to no-decision, rules by their count and then by name.
func (t Tally) String() string {
	var b strings.Builder
	noun := "findings"
	if t.Total == 1 {
		noun = "finding"
	}
	fmt.Fprintf(&b, "%d %s", t.Total, noun)
	sep := ": "
	for _, v := range slices.Backward(slices.Sorted(maps.Keys(t.Verdicts))) {
		fmt.Fprintf(&b, "%s%d %s", sep, t.Verdicts[v], v)
		sep = ", "
	}
	names := slices.SortedFunc(maps.Keys(t.Rules), func(a, b string) int {
		if d := t.Rules[b] - t.Rules[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	sep = "; by rule: "
	for _, name := range names {
		fmt.Fprintf(&b, "%s%s %d", sep, name, t.Rules[name])
		sep = ", "
	}
	return b.String()
}
