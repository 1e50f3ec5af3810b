package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/patchflow/patchflow/rollout"
)

// tell prints what happened: line by line, then ring by ring with the devices of each. All of it is from the journal.
func tell(out io.Writer, t *rollout.Timeline) {
	plan, m := t.Plan(), t.Machine()
	for _, line := range t.Lines() {
		fmt.Fprintf(out, "   %s\n", line)
	}
	for r, ring := range m.Status().Rings {
		fmt.Fprintf(out, "   ring %-5s  %s\n", ring.Name, ring.State)
		var lines []string
		for i := range plan.Devices {
			if plan.RingOf(i) != r {
				continue
			}
			lines = append(lines, fmt.Sprintf("      %s  %s", plan.Devices[i], m.Device(i).Outcome))
			for _, try := range t.Tries(i) {
				if try.Phase == rollout.PhaseFailed {
					lines = append(lines, fmt.Sprintf("      %s  %s: %s: %s", plan.Devices[i], try.Op, try.Fault, try.Message))
				}
			}
		}
		slices.Sort(lines)
		for _, line := range lines {
			fmt.Fprintln(out, line)
		}
	}
}
