package policy_test

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/policy"
)

// No more than a tenth of a site is disrupted at once, and never both devices of a pair.
func ExampleBudget() {
	p, err := policy.Decode(strings.NewReader(`
name: servers
budgets:
  - {name: sites, per: [site], share: 10%}
  - {name: pairs, per: [ha-pair], count: 1}
`), "servers.yaml")
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range p.Budgets {
		b := &p.Budgets[i]
		fmt.Printf("%s: of 25 devices %d, of 4 devices %d\n", b, b.Limit(25), b.Limit(4))
	}
	// Output:
	// at most 10% of each site: of 25 devices 2, of 4 devices 1
	// at most 1 of each ha-pair: of 25 devices 1, of 4 devices 1
}
