package rollout_test

import (
	"fmt"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A ticket is opened under the key of what is raised, and closed under the same key.
func ExampleRaised_Keys() {
	plan := smallPlan("q1")
	plan.Policy.Escalation = []policy.EscalationLevel{{Name: "helpdesk", Attempts: 2}, {Name: "boss", Failed: 1000}}
	for _, e := range []rollout.Event{ // as a journal or Observe brings them
		rollout.Raised{Level: 1, Ring: 0, Why: rollout.RaisedFailed},
		rollout.Cleared{Level: 1, Ring: 0, Why: rollout.RaisedFailed},
	} {
		switch e := e.(type) {
		case rollout.Raised:
			fmt.Println("open", e.Keys(&plan))
		case rollout.Cleared:
			fmt.Println("close", e.Keys(&plan))
		}
	}
	// Output:
	// open [acme:q1/boss/failed/canary]
	// close [acme:q1/boss/failed/canary]
}
