package policy

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidateNamesTheFieldOfProbes(t *testing.T) {
	p := Policy{Name: "p", Health: Health{Probes: Probes{List: []Probe{{Name: "till", Of: "tilld"}, {Name: "app", Check: ProbeVersion, Of: "till", Version: "4.2"},
		{Name: "web", Check: ProbeCustom, Of: "http", With: []string{"url=a=b"}},
		{Name: "key", Check: ProbeRegistry, Of: `HKLM\SOFTWARE\Acme`, With: []string{"value=Version", "is=4.2", "view=32"}}}, Before: ProbeLeavesOut}}}
	require.NoError(t, p.Validate())
	for want, spoil := range map[string]func(*Probes){
		"before: probes before 9 has no name":                               func(p *Probes) { p.Before = 9 },
		"failed: failed probe 9 has no name":                                func(p *Probes) { p.Failed = 9 },
		"within: -1s is negative":                                           func(p *Probes) { p.Within = -1e9 },
		"every: -1s is negative":                                            func(p *Probes) { p.Every = -1e9 },
		"every: 20m is longer than within, 15m":                             func(p *Probes) { p.Every = 20 * 60e9 },
		"list: is missing: nothing else of the probes is used without it":   func(p *Probes) { p.List = nil },
		"list: 33 probes, more than 32":                                     func(p *Probes) { p.List = many(33) },
		"list[0].name: missing":                                             func(p *Probes) { p.List[0].Name = "" },
		`list[1].name: "till" is the name of health.probes.list[0] already`: func(p *Probes) { p.List[1].Name = "till" },
		"list[0].check: check 9 has no name":                                func(p *Probes) { p.List[0].Check = 9 },
		"list[0].of: missing":                                               func(p *Probes) { p.List[0].Of = "" },
		"list[1].version: missing":                                          func(p *Probes) { p.List[1].Version = "" },
		"list[0].version: only the check version has one":                   func(p *Probes) { p.List[0].Version = "1" },
		"list[0].with: only the checks custom and registry have parameters": func(p *Probes) { p.List[0].With = []string{"a=b"} },
		`list[2].with[0]: "=b" is not name=value`:                           func(p *Probes) { p.List[2].With = []string{"=b"} },
		`list[2].with[1]: "b" is not name=value`:                            func(p *Probes) { p.List[2].With = []string{"a=", "b"} },
		"list[3].of: missing":                                               func(p *Probes) { p.List[3].Of = "" },
		`list[3].of: "HKCU\\SOFTWARE" does not begin with HKLM\`:            func(p *Probes) { p.List[3].Of = `HKCU\SOFTWARE` },
		`list[3].of: "HKLM\\" has a part that is no name of a key`:          func(p *Probes) { p.List[3].Of = `HKLM\` },
		`list[3].of: "HKLM\\a\\\\b" has a part that is no name of a key`:    func(p *Probes) { p.List[3].Of = `HKLM\a\\b` },
		`list[3].of: "HKLM\\a\"" has a quote`:                               func(p *Probes) { p.List[3].Of = `HKLM\a"` },
		`list[3].of: "HKLM\\Büro" has other characters than those of ASCII`: func(p *Probes) { p.List[3].Of = `HKLM\Büro` },
		"list[3].version: only the check version has one":                   func(p *Probes) { p.List[3].Version = "1" },
		`list[3].with[0]: "value" is not name=value`:                        func(p *Probes) { p.List[3].With = []string{"value"} },
		`list[3].with[0]: "value=" is no name of a value`:                   func(p *Probes) { p.List[3].With = []string{"value="} },
		`list[3].with[0]: "Value=a" is none of value, is and view`:          func(p *Probes) { p.List[3].With = []string{"Value=a"} },
		`list[3].with[1]: "value=b" is the second of its name`:              func(p *Probes) { p.List[3].With = []string{"value=a", "value=b"} },
		`list[3].with[1]: "is=ü" has other characters than those of ASCII`:  func(p *Probes) { p.List[3].With = []string{"value=a", "is=ü"} },
		`list[3].with[0]: "view=16" is neither view=32 nor view=64`:         func(p *Probes) { p.List[3].With = []string{"view=16"} },
		"list[3].with: is=1 needs a value":                                  func(p *Probes) { p.List[3].With = []string{"is=1"} },
	} {
		t.Run(want, func(t *testing.T) {
			bad := p
			bad.Health.Probes.List = slices.Clone(p.Health.Probes.List)
			spoil(&bad.Health.Probes)
			require.EqualError(t, bad.Validate(), "policy: health.probes."+want)
		})
	}
}

func many(n int) []Probe {
	all := make([]Probe, n)
	for i := range all {
		all[i] = Probe{Name: fmt.Sprintf("p%d", i), Of: "s"}
	}
	return all
}

func ExampleProbes() {
	fmt.Println(Probes{List: []Probe{{Name: "web", Of: "nginx"}, {Name: "till", Check: ProbeVersion, Of: "contoso-till", Version: "4.2"}}})
	fmt.Println(Probes{})
	// Output:
	// web (service nginx), till (version contoso-till 4.2); within 15m, every 1m; before: forgive; after: failed
	// none
}

func ExampleProbe_Registry() {
	p := Probe{Name: "till", Check: ProbeRegistry, Of: `HKLM\SOFTWARE\Acme\Till`, With: []string{"value=Enabled", "is=1"}}
	c, err := p.Registry()
	fmt.Println(c.Key, c.Value, c.Is, err)
	p.With = []string{"vaule=Enabled"}
	_, err = p.Registry()
	fmt.Println(err)
	// Output:
	// HKLM\SOFTWARE\Acme\Till Enabled 1 <nil>
	// policy: probe "till": with[0]: "vaule=Enabled" is none of value, is and view
}
