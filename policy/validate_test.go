package policy

import (
	"errors"
	"math"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func TestThePolicyOfTheExamplesIsValid(t *testing.T) {
	p := fleet()
	require.NoError(t, p.Validate())
	require.NoError(t, (&Policy{Name: "p"}).Validate(), "rules and rings may be missing")
}

// What a document cannot say a Go value can. Each row spoils one field of a valid policy.
func TestValidateNamesTheField(t *testing.T) {
	for want, spoil := range map[string]func(p *Policy){
		`policy: name: missing`:                                                             func(p *Policy) { p.Name = "" },
		`policy: name: " p" begins or ends with a blank`:                                    func(p *Policy) { p.Name = " p" },
		`policy: name: "a\nb" has control characters`:                                       func(p *Policy) { p.Name = "a\nb" },
		`policy: name: "\xff" is not UTF-8`:                                                 func(p *Policy) { p.Name = "\xff" },
		`policy: rules[1].name: missing`:                                                    func(p *Policy) { p.Rules[1].Name = "" },
		`policy: rules[0].match: says nothing: a rule about everything says all: true`:      func(p *Policy) { p.Rules[0].Match = Match{} },
		`policy: rules[0].match.ids[1]: empty`:                                              func(p *Policy) { p.Rules[0].Match.IDs[1] = "" },
		`policy: rules[2].match.classifications[0]: classification 99 has no name`:          func(p *Policy) { p.Rules[2].Match.Classifications[0] = 99 },
		`policy: rules[2].match.minSeverity: severity 99 has no name`:                       func(p *Policy) { p.Rules[2].Match.MinSeverity = 99 },
		`policy: rules[4].match.minAge: -1s is negative`:                                    func(p *Policy) { p.Rules[4].Match.MinAge = -1e9 },
		`policy: rules[0].verdict: missing`:                                                 func(p *Policy) { p.Rules[0].Verdict = NoDecision },
		`policy: rules[0].verdict: verdict 99 has no name`:                                  func(p *Policy) { p.Rules[0].Verdict = 99 },
		`policy: rules[3].for: -1s is negative`:                                             func(p *Policy) { p.Rules[3].For = -1e9 },
		`policy: rules[3].for: missing: a rule that defers says for how long`:               func(p *Policy) { p.Rules[3].For = 0 },
		`policy: rules[0].for: only a rule that defers has it`:                              func(p *Policy) { p.Rules[0].For = 1e9 },
		`policy: rules[0].reason: "\xff" is not UTF-8`:                                      func(p *Policy) { p.Rules[0].Reason = "\xff" },
		`policy: rings[0]: nobody belongs to it: want one of devices, size, share and rest`: func(p *Policy) { p.Rings[0].Devices = inventory.Selector{} },
		`policy: rings[0]: more than one of devices, size, share and rest: want one`:        func(p *Policy) { p.Rings[0].Share = 1 },
		`policy: rings[0]: more than one of devices, size, share and rest: want one` + "\n" + `policy: rings[0].size: -1 is negative`: func(p *Policy) { p.Rings[0].Size = -1 },
		`policy: rings[1].share: 100.01% is more than 100%` + "\n" +
			`policy: rings: their shares come to 100.01%, more than 100%`: func(p *Policy) { p.Rings[1].Share = 10001 },
		`policy: rings[1].share: -0.01% is negative`:              func(p *Policy) { p.Rings[1].Share = -1 },
		`policy: rings[1].shows: 100.01% is more than 100%`:       func(p *Policy) { p.Rings[1].Shows = 10001 },
		`policy: rings[0].shows: only a ring with a share has it`: func(p *Policy) { p.Rings[0].Shows = 500 },
		`policy: rings[1].minDevices: -1 is negative`:             func(p *Policy) { p.Rings[1].MinDevices = -1 },
		`policy: strata[1]: device.color is no fact about a device: want device.id, .name, .tenant, .os, .version, .arch, .zone or .exposure`: func(p *Policy) { p.Strata = []string{"site", "device.color"} },
		`policy: guests: treatment of guests 9 has no name`:                                                                                            func(p *Policy) { p.HostLabel, p.Guests = "host", 9 },
		`policy: guests: it is await-in-grace, but no hostLabel says what runs on what`:                                                                func(p *Policy) { p.HostLabel, p.Guests = "", GuestsAwaitedInGrace },
		`policy: hostLabel: device.color is no fact about a device: want device.id, .name, .tenant, .os, .version, .arch, .zone or .exposure`:          func(p *Policy) { p.HostLabel = "device.color" },
		`policy: joiners: treatment of joiners 9 has no name`:                                                                                          func(p *Policy) { p.Joiners = 9 },
		`policy: strata[1]: "site" is named already, by strata[0]`:                                                                                     func(p *Policy) { p.Strata = []string{"site", "site"} },
		`policy: salt: "x " begins or ends with a blank`:                                                                                               func(p *Policy) { p.Salt = "x " },
		`policy: rings[1].ramp: -1 is negative`:                                                                                                        func(p *Policy) { p.Rings[1].Ramp = -1 },
		`policy: rings[1].ramp: it begins with 10 devices, and no more than maxActive, 10, are worked on at once`:                                      func(p *Policy) { p.Rings[1].Ramp = 10 },
		`policy: rings[1].maxActive: -1 is negative`:                                                                                                   func(p *Policy) { p.Rings[1].MaxActive = -1 },
		`policy: rings[1].windows[0].zone: "x": unknown time zone`:                                                                                     func(p *Policy) { p.Rings[1].Windows[0].Zone = "x" },
		`policy: rings[0].gate.denominator: denominator 9 has no name`:                                                                                 func(p *Policy) { p.Rings[0].Gate.Denominator = 9 },
		`policy: rings[0].gate.minSuccess: 101% is more than 100%`:                                                                                     func(p *Policy) { p.Rings[0].Gate.MinSuccess = 10100 },
		`policy: rings[0].gate.maxFailed: -1% is negative`:                                                                                             func(p *Policy) { p.Rings[0].Gate.MaxFailed = -100 },
		`policy: rings[0].gate.minSample: -1 is negative`:                                                                                              func(p *Policy) { p.Rings[0].Gate.MinSample = -1 },
		`policy: rings[0].gate.evidence.tolerate: is missing: nothing else of the evidence is used without it`:                                         func(p *Policy) { p.Rings[0].Gate.Evidence = Evidence{Below: 500} },
		`policy: rings[0].gate.evidence.tolerate: 100% tolerates everything: want less`:                                                                func(p *Policy) { p.Rings[0].Gate.Evidence = Evidence{Tolerate: 10000} },
		`policy: rings[0].gate.evidence.below: 1% is less than tolerate, 2%: a rate between them could neither pass nor fail`:                          func(p *Policy) { p.Rings[0].Gate.Evidence = Evidence{Tolerate: 200, Below: 100} },
		`policy: rings[0].gate.evidence.below: 100% cannot be proved: want less`:                                                                       func(p *Policy) { p.Rings[0].Gate.Evidence = Evidence{Tolerate: 200, Below: 10000} },
		`policy: rings[0].gate.evidence.confidence: 100% cannot be had: want less`:                                                                     func(p *Policy) { p.Rings[0].Gate.Evidence = Evidence{Tolerate: 200, Confidence: 10000} },
		`policy: rings[0].gate.evidence.confidence: 9% is less than a coin would do: want at least 50%`:                                                func(p *Policy) { p.Rings[0].Gate.Evidence = Evidence{Tolerate: 200, Confidence: 900} },
		`policy: rings[0].gate.evidence.within: -1h is negative`:                                                                                       func(p *Policy) { p.Rings[0].Gate.Evidence = Evidence{Tolerate: 200, Within: -3600e9} },
		`policy: rings[0].gate.evidence.below: is missing: with maxFailed 100% and no minSuccess nothing else would have to hold for the gate to pass`: func(p *Policy) { p.Rings[0].Gate = Gate{MaxFailed: 10000, Evidence: Evidence{Tolerate: 200}} },
		`policy: rings[0].gate.control.devices: -1 is negative`:                                                                                        func(p *Policy) { p.Rings[0].Gate.Control = Control{Devices: -1} },
		`policy: rings[0].gate.control.devices: 100001 is more than 100000`:                                                                            func(p *Policy) { p.Rings[0].Gate.Control = Control{Devices: 100_001} },
		`policy: rings[0].gate.control.devices: is missing: nothing else of the control is used without it`:                                            func(p *Policy) { p.Rings[0].Gate.Control = Control{Within: 1} },
		`policy: rings[0].gate.control.devices: health.metrics has nothing by which devices could be compared`:                                         func(p *Policy) { p.Health.Metrics = nil; p.Rings[1].Gate.Control = Control{} },
		`policy: rings[3].gate.control.devices: there is no ring after the last one whose devices it could be compared with`:                           func(p *Policy) { p.Rings[3].Gate.Control = Control{Devices: 1} },
		`policy: rings[0].gate.control.within: -1s is negative`:                                                                                        func(p *Policy) { p.Rings[0].Gate.Control = Control{Devices: 1, Within: -1e9} },
		`policy: rings[0].gate.control.least: 3 of 2 devices: the gate could never pass`:                                                               func(p *Policy) { p.Rings[0].Gate.Control = Control{Devices: 2, Least: 3} },
		`policy: rings[0].gate.control.least: -1 is negative`:                                                                                          func(p *Policy) { p.Rings[0].Gate.Control = Control{Devices: 2, Least: -1} },
		`policy: rings[0].gate.control.confidence: 100% cannot be had: want less`:                                                                      func(p *Policy) { p.Rings[0].Gate.Control = Control{Devices: 2, Confidence: 10000} },
		`policy: rings[0].gate.control.confidence: 9% is less than a coin would do: want at least 50%`:                                                 func(p *Policy) { p.Rings[0].Gate.Control = Control{Devices: 2, Confidence: 900} },
		`policy: rings[0].gate.minCoverage: -1% is negative`:                                                                                           func(p *Policy) { p.Rings[0].Gate.MinCoverage = -100 },
		`policy: rings[0].gate.soak: -1s is negative`:                                                                                                  func(p *Policy) { p.Rings[0].Gate.Soak = -1e9 },
		`policy: rings[2].gate.timeout: -1s is negative`:                                                                                               func(p *Policy) { p.Rings[2].Gate.Timeout = -1e9 },
		`policy: rings[0].gate.onTimeout: there is no timeout`:                                                                                         func(p *Policy) { p.Rings[0].Gate.Timeout = 0 },
		`policy: windows[0].days: days(0x80): there are seven`:                                                                                         func(p *Policy) { p.Windows[0].Days = 0x80 },
		`policy: windows[0].start: clock(-1) is not between 00:00 and 24:00`:                                                                           func(p *Policy) { p.Windows[0].Start = -1 },
		`policy: windows[0].end: clock(1441) is not between 00:00 and 24:00`:                                                                           func(p *Policy) { p.Windows[0].End = 1441 },
		`policy: maxActive: -1 is negative`:                                                                                                            func(p *Policy) { p.MaxActive = -1 },
		`policy: startJitter: 8d is longer than 7d`:                                                                                                    func(p *Policy) { p.StartJitter = Duration(8 * 24 * 3600e9) },
		`policy: retry.attempts: -1 is negative`:                                                                                                       func(p *Policy) { p.Retry.Attempts = -1 },
		`policy: retry.backoff: -1s is negative`:                                                                                                       func(p *Policy) { p.Retry.Backoff = -1e9 },
		`policy: retry.maxBackoff: -1s is negative`:                                                                                                    func(p *Policy) { p.Retry.MaxBackoff = -1e9 },
		`policy: retry.backoff: 5m is longer than maxBackoff, 4m`:                                                                                      func(p *Policy) { p.Retry.MaxBackoff = 240e9 },
		`policy: retry.busyEvery: -1s is negative`:                                                                                                     func(p *Policy) { p.Retry.BusyEvery = -1e9 },
		`policy: retry.busyLimit: -1 is negative`:                                                                                                      func(p *Policy) { p.Retry.BusyLimit = -1 },
		`policy: retry.offlineEvery: -1s is negative`:                                                                                                  func(p *Policy) { p.Retry.OfflineEvery = -1e9 },
		`policy: retry.grace: -1s is negative`:                                                                                                         func(p *Policy) { p.Retry.Grace = -1e9 },
		`policy: retry.offlineDeadline: -1s is negative`:                                                                                               func(p *Policy) { p.Retry.OfflineDeadline = -1e9 },
		`policy: retry.offlineDeadline: 1d is over before the grace of 2d is`:                                                                          func(p *Policy) { p.Retry.OfflineDeadline = day },
		`policy: retry.remedies[1].fault: corrupt has a remedy already, in retry.remedies[0]`: func(p *Policy) {
			p.Retry.Remedies = []Remedy{{Fault: patch.Corrupt}, {Fault: patch.Corrupt}}
		},
		`policy: retry.remedies[0].fault: there is no remedy for busy: want disk-full or corrupt`: func(p *Policy) { p.Retry.Remedies = []Remedy{{Fault: patch.Busy}} },
		`policy: retry.remedies[0].max: -1 is negative`:                                           func(p *Policy) { p.Retry.Remedies = []Remedy{{Fault: patch.Corrupt, Max: -1}} },
		`policy: retry.remedies[0].max: 256 is more than 255`:                                     func(p *Policy) { p.Retry.Remedies = []Remedy{{Fault: patch.Corrupt, Max: 256}} },
		`policy: drain.timeout: -1s is negative`:                                                  func(p *Policy) { p.Drain.Timeout = -1e9 },
		`policy: drain.timeout: there is a timeout, but no budget drains its devices`:             func(p *Policy) { p.Budgets[0].Drain = false },
		`policy: retry.timeout: -1s is negative`:                                                  func(p *Policy) { p.Retry.Timeout = -1e9 },
		`policy: reboot.mode: reboot mode 9 has no name`:                                          func(p *Policy) { p.Reboot.Mode = 9 },
		`policy: reboot.timeout: -1s is negative`:                                                 func(p *Policy) { p.Reboot.Timeout = -1e9 },
		`policy: backup.need: need of a backup 9 has no name`:                                     func(p *Policy) { p.Backup.Need = 9 },
		`policy: backup.maxAge: -1s is negative`:                                                  func(p *Policy) { p.Backup.MaxAge = -1e9 },
		`policy: backup.maxAge: there is an age, but backup.need is none`:                         func(p *Policy) { p.Backup.Need = BackupNone },
		`policy: rollback.on: reaction to a failed gate 9 has no name`:                            func(p *Policy) { p.Rollback.On = 9 },
	} {
		t.Run(want, func(t *testing.T) {
			p := fleet()
			spoil(&p)
			require.EqualError(t, p.Validate(), want)
		})
	}
}

func TestRingsMustTakeEveryDevice(t *testing.T) {
	test := Ring{Name: "test", Devices: inventory.MustSelector("role=test")}
	for name, row := range map[string]struct {
		rings []Ring
		fault string
	}{
		"shares that come to 100%":          {[]Ring{test, {Name: "a", Share: 4000}, {Name: "b", Share: 6000}}, ""},
		"shares that do not":                {[]Ring{test, {Name: "a", Share: 4000}, {Name: "b", Share: 5999}}, "some devices belong to none: their shares come to 99.99%"},
		"the rest":                          {[]Ring{test, {Name: "a", Rest: true}}, ""},
		"only devices that match":           {[]Ring{test}, "some devices belong to none: their shares come to 0%"},
		"everybody":                         {[]Ring{{Name: "all", Devices: inventory.MustSelector("*")}}, ""},
		"a rest after shares of 100%":       {[]Ring{{Name: "a", Share: 10000}, {Name: "b", Rest: true}}, ""},
		"more than everybody":               {[]Ring{{Name: "a", Share: 6000}, {Name: "b", Share: 5000}, {Name: "c", Rest: true}}, "their shares come to 110%"},
		"the rest before others":            {[]Ring{{Name: "b", Rest: true}, test}, "rings[0].rest: only the last ring"},
		"the rest twice":                    {[]Ring{test, {Name: "a", Rest: true}, {Name: "b", Rest: true}}, "rings[2].rest: rings[1] takes the rest already"},
		"shares so many that they overflow": {[]Ring{{Name: "a", Share: math.MaxInt}, {Name: "b", Share: math.MaxInt}}, "their shares come to 200.02%"},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&Policy{Name: "p", Rings: row.rings}).Validate()
			if row.fault == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.fault)
		})
	}
}

func TestAllFaultsAreReportedTogether(t *testing.T) {
	p := Policy{MaxActive: -1, Windows: []Window{{Zone: "Mars/Olympus"}}, Rules: []Rule{{Name: "a", Match: Match{IDs: []patch.ID{"x"}}}}}
	err := p.Validate()
	var all *multierror.Error
	require.ErrorAs(t, err, &all)
	var paths []string
	for _, e := range all.Errors {
		var fault *FieldError
		require.ErrorAs(t, e, &fault)
		paths = append(paths, fault.Path)
	}
	require.Equal(t, []string{"name", "rules[0].verdict", "windows[0].zone", "maxActive"}, paths)
	require.ErrorIs(t, err, ErrZone)
	require.False(t, errors.Is(err, errors.ErrUnsupported))
}

func TestFieldErrorSaysWhatItKnowsOfThePlace(t *testing.T) {
	cause := errors.New("odd")
	for want, e := range map[string]*FieldError{
		"policy: odd":                      {Err: cause},
		"policy: a.b: odd":                 {Path: "a.b", Err: cause},
		"policy: f: odd":                   {File: "f", Err: cause},
		"policy: f:3: odd":                 {File: "f", Line: 3, Err: cause},
		"policy: f:3:4: a: odd":            {File: "f", Line: 3, Column: 4, Path: "a", Err: cause},
		"policy: line 3: odd":              {Line: 3, Err: cause},
		"policy: line 3, column 4: a: odd": {Line: 3, Column: 4, Path: "a", Err: cause},
	} {
		require.EqualError(t, e, want)
		require.ErrorIs(t, e, cause)
	}
}
