package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidateNamesTheFieldOfACover(t *testing.T) {
	for want, x := range map[string]Cover{
		"covers[1]: want one of of and app":          {Least: 1},
		"covers[1]: want one of":                     {Of: "site", App: "firefox", Least: 1},
		"covers[1].of: ":                             {Of: "device.color", Least: 1},
		"covers[1].of: \"of model\" is the name of":  {Of: "model", Least: 1},
		"covers[1].app: ":                            {App: "a\n", Least: 1},
		"covers[1].least: missing":                   {Of: "site"},
		"covers[1].least: 100.01% is more than 100%": {Of: "site", Least: 10001},
	} {
		p := Policy{Name: "p", Covers: []Cover{{Of: "model", Least: 1}, x}}
		require.ErrorContains(t, p.Validate(), want)
	}
	require.NoError(t, (&Policy{Name: "p", Covers: []Cover{{Of: "model", Least: 1}, {App: "model", Least: 1}}}).Validate())
}
