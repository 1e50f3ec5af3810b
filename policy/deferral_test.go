package policy

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
)

func TestValidateNamesTheFieldOfDeferrals(t *testing.T) {
	const hour = Duration(time.Hour)
	for want, d := range map[string]Deferrals{
		"reboot.deferrals.max: -1 is not from 0 to 255":                                  {Max: -1},
		"reboot.deferrals.max: 256 is not from 0 to 255":                                 {Max: 256},
		"reboot.deferrals: max is missing: nobody may defer":                             {Each: hour},
		"reboot.deferrals.notice: -1h is negative":                                       {Max: 1, Notice: -hour},
		"reboot.deferrals.each: -1h is negative":                                         {Max: 1, Each: -hour},
		"reboot.deferrals.deadline: -1h is negative":                                     {Max: 1, Deadline: -hour},
		"reboot.deferrals.deadline: 30m is over before the restart is announced for, 1h": {Max: 1, Deadline: hour / 2},
	} {
		p := Policy{Name: "p", Reboot: Reboot{Mode: RebootAlways, Deferrals: d}}
		require.ErrorContains(t, p.Validate(), want)
	}
}

func TestDeferralsAreOneFieldOfALayer(t *testing.T) {
	layers := []Layer{
		{Name: "vendor", Policy: Policy{Reboot: Reboot{Mode: RebootAlways, Deferrals: Deferrals{Max: 3, Each: 1}}}},
		{Name: "acme", Tenant: "acme", Policy: Policy{Reboot: Reboot{Deferrals: Deferrals{Max: 1}}}},
	}
	e, err := Resolve(layers, &inventory.Device{Tenant: "acme"})
	require.NoError(t, err)
	require.Equal(t, Reboot{Mode: RebootAlways, Deferrals: Deferrals{Max: 1}}, e.Policy.Reboot)
}

func ExampleDeferrals() {
	fmt.Println(Deferrals{Max: 3})
	fmt.Println(Deferrals{})
	// Output:
	// 3 times for 4h, within 3d; announced 1h before
	// none
}
