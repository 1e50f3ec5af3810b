package policy

import (
	"fmt"
	"strings"
)

// String says in one line what g asks for.
func (g Gate) String() string {
	parts := []string{"no failure"}
	switch {
	case g.MaxFailed == whole && g.Evidence.Weighs():
		parts[0] = "any number failed"
	case g.MaxFailed > 0:
		parts[0] = fmt.Sprintf("at most %s failed", g.MaxFailed)
	}
	if g.Denominator != Assigned {
		parts[0] += fmt.Sprintf(" of the %s devices", g.Denominator)
	}
	if g.MinSuccess > 0 {
		parts = append(parts, fmt.Sprintf("at least %s succeeded", g.MinSuccess))
	}
	if g.MinSample > 1 {
		parts = append(parts, fmt.Sprintf("sample %d", g.MinSample))
	}
	if g.MinCoverage > 0 {
		parts = append(parts, fmt.Sprintf("coverage %s", g.MinCoverage))
	}
	if e := g.Evidence.String(); e != "" {
		parts = append(parts, e)
	}
	if x := g.Control.String(); x != "" {
		parts = append(parts, x)
	}
	if g.Soak > 0 {
		parts = append(parts, fmt.Sprintf("soak %s", g.Soak))
	}
	if g.Manual {
		parts = append(parts, "promoted by hand")
	}
	if g.Timeout > 0 {
		parts = append(parts, fmt.Sprintf("after %s: %s", g.Timeout, g.OnTimeout))
	}
	return strings.Join(parts, ", ")
}
