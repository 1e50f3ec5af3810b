package policy_test

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/policy"
)

// A help desk is told of every device on which two installations have failed, and whoever is on call when a tenth of a ring has, or when
// nobody has decided for four hours.
func ExampleEscalationLevel() {
	p, err := policy.Decode(strings.NewReader(`
name: offices
escalation:
  - {name: helpdesk, attempts: 2}
  - {name: on call, failed: 10%, waiting: 4h}
`), "offices.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range p.Escalation {
		fmt.Println(l.Name, l.Attempts, l.Failed, l.Waiting)
	}
	// Output:
	// helpdesk 2 0% 0s
	// on call 0 10% 4h
}
