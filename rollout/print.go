package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/policy"
)

// String prints p for a reviewer: who is changed, in which steps, and what stops it.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rollout %s, policy %q", p.Key, p.Policy.Name)
	if p.By != "" {
		fmt.Fprintf(&b, ", asked for by %s", p.By)
	}
	fmt.Fprintf(&b, " on %s\n", p.At.UTC().Format("2006-01-02"))
	for r := range p.Rings {
		fmt.Fprintf(&b, "  %d. %s; gate: %s\n", r+1, p.DescribeRing(r), p.Rings[r].Gate)
		b.WriteString(p.describeControls(r))
	}
	for i := range p.Policy.Freezes {
		fmt.Fprintf(&b, "  no work begins: %s%s\n", p.Policy.Freezes[i], p.passing(p.Policy.Freezes[i].Name))
	}
	if fit := p.Policy.Fit; fit != (policy.Fit{}) {
		fmt.Fprintf(&b, "  work begins only where it fits: %s\n", fit)
	}
	if len(p.Policy.Strata) > 0 {
		fmt.Fprintf(&b, "  rings are alike in: %s (%s of device)\n", strings.Join(p.Policy.Strata, ", "), count(len(p.Strata), "kind"))
	}
	if p.Policy.HostLabel != "" {
		fmt.Fprintf(&b, "  %s\n", p.describeHosts())
	}
	if len(p.Policy.Covers) > 0 && len(p.Coverage) == 0 {
		b.WriteString("  what of the fleet the first ring covers is not known\n")
	}
	for i := range p.Coverage {
		c := &p.Coverage[i]
		fmt.Fprintf(&b, "  the first ring covers %s", c)
		if c.Short() {
			fmt.Fprintf(&b, "; that is less than the %s that are wanted", c.Least)
		}
		b.WriteString("\n")
	}
	if rate := p.Policy.Rate; !rate.IsZero() {
		fmt.Fprintf(&b, "  begun: %s\n", rate)
	}
	for i := range p.Policy.Budgets {
		fmt.Fprintf(&b, "  disrupted at once: %s\n", p.Policy.Budgets[i])
	}
	if x := p.Policy.Breaker; !x.IsZero() {
		fmt.Fprintf(&b, "  breaker of each patch: trips %s\n", x)
	}
	patches := make(map[string]bool)
	for i := range p.Contents {
		for j := range p.Contents[i].Patches {
			patches[string(p.Contents[i].Patches[j].ID)] = true
		}
	}
	fmt.Fprintf(&b, "  content: %s in %s; %s; %s\n", count(len(patches), "patch"), count(len(p.Contents), "set"),
		printReboot(p.Policy.Reboot.Mode), printRollback(p.Policy.Rollback.On))
	return b.String()
}

// passing says how many of the contents pass the freeze called name.
func (p *Plan) passing(name string) string {
	n := 0
	for i := range p.Contents {
		if slices.Contains(p.Contents[i].Passes, name) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of %d may go on", count(n, "set"), len(p.Contents))
}

// DescribeRing says in one line who ring r of the plan is, and when and how it is worked on.
func (p *Plan) DescribeRing(r int) string {
	var b strings.Builder
	ring := &p.Rings[r]
	fmt.Fprintf(&b, "%s: %s", ring.Name, count(ring.Count, "device"))
	if ring.asks() {
		b.WriteString(", after approval")
		if len(ring.Needs) > 0 {
			b.WriteString(" by " + printNeeds(ring.Needs))
		}
	}
	if ring.MaxActive > 0 {
		fmt.Fprintf(&b, ", %d at once", ring.MaxActive)
	}
	if ring.Ramp > 0 {
		fmt.Fprintf(&b, ", from %d at first", ring.Ramp)
	}
	windows := ring.Windows
	if len(windows) == 0 {
		windows = p.Policy.Windows
	}
	for i, w := range windows {
		sep := " or "
		if i == 0 {
			sep = ", "
		}
		b.WriteString(sep + w.String())
	}
	ahead := ring.Download.Windows
	if len(ahead) == 0 {
		ahead = p.Policy.Download.Windows
	}
	for i, w := range ahead {
		sep := " or "
		if i == 0 {
			sep = ", downloads ahead "
		}
		b.WriteString(sep + w.String())
	}
	if len(ring.Merged) > 0 {
		fmt.Fprintf(&b, ", with the gate of the empty %s", strings.Join(ring.Merged, " and "))
	}
	return b.String()
}

func printReboot(m policy.RebootMode) string {
	switch m {
	case policy.RebootIfRequired:
		return "restarts if required"
	case policy.RebootAlways:
		return "restarts always"
	}
	return "no restarts"
}

func printRollback(on policy.OnFail) string {
	switch on {
	case policy.FailRollsBackRing:
		return "a failed gate rolls its ring back"
	case policy.FailRollsBackAll:
		return "a failed gate rolls everything back"
	}
	return "a failed gate halts"
}
