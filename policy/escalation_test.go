package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidateNamesTheFieldOfALevel(t *testing.T) {
	good := EscalationLevel{Name: "helpdesk", Attempts: 1}
	for want, l := range map[string]EscalationLevel{
		"escalation[1].name: missing":                             {Attempts: 1},
		"escalation[1].name: \"helpdesk\" is the name of":         {Name: "helpdesk", Failed: 1},
		"escalation[1].attempts: -1 is negative":                  {Name: "x", Attempts: -1},
		"escalation[1].failed: 101% is more than 100%":            {Name: "x", Failed: 10100},
		"escalation[1].waiting: -1s is negative":                  {Name: "x", Waiting: -1e9},
		"escalation[1]: nothing raises this level: want attempts": {Name: "x"},
	} {
		p := Policy{Name: "p", Escalation: []EscalationLevel{good, l}}
		require.ErrorContains(t, p.Validate(), want)
	}
	p := Policy{Name: "p"}
	for range maxLevels + 1 {
		p.Escalation = append(p.Escalation, EscalationLevel{Name: string(rune('a' + len(p.Escalation))), Attempts: 1})
	}
	require.ErrorContains(t, p.Validate(), "17 levels are more than 16")
	p.Escalation = p.Escalation[:maxLevels]
	require.NoError(t, p.Validate())
}
