package policy

import (
	"cmp"
	"math"
	"slices"

	"github.com/patchflow/patchflow/internal/enum"
)

// Combine says in which order the rules of several layers stand in the policy that is made of them. Rules that reject or
// hold win in every order, whichever layer they are from. Among the rest the first that matches decides, once no rule that
// defers and stands before it holds it back. Within what an order leaves open, nearer layers come first, and the rules of a
// layer keep their order.
type Combine uint8

const (
	MostRestrictive Combine = iota // first rules that defer, the longest first; then those that require approval, of most people first; then those that approve
	DenyOverrides                  // rules that defer first
	ByPriority                     // layers with a greater priority first
	NearestWins                    // nothing else
)

func combineNames() enum.Names {
	return enum.Names{"most-restrictive", "deny-overrides", "priority", "nearest"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (v Combine) String() string { return combineNames().String("way to combine rules", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v Combine) MarshalText() ([]byte, error) {
	return combineNames().Text("way to combine rules", int(v))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *Combine) UnmarshalText(text []byte) error {
	n, err := combineNames().Parse("way to combine rules", text)
	*v = Combine(n)
	return err
}

// sort puts rules, which stand with the nearest layer first, into their order.
func (v Combine) sort(rules []part[Rule]) {
	slices.SortStableFunc(rules, func(a, b part[Rule]) int {
		switch v {
		case NearestWins:
			return 0
		case ByPriority:
			return cmp.Compare(b.layer.Priority, a.layer.Priority)
		}
		x, y := &a.value, &b.value
		if v == DenyOverrides {
			return cmp.Compare(min(weightOf(x), 2), min(weightOf(y), 2))
		}
		return cmp.Or(cmp.Compare(weightOf(x), weightOf(y)), cmp.Compare(y.For, x.For), cmp.Compare(max(y.Quorum, 1), max(x.Quorum, 1)))
	})
}

// weightOf returns how freely a rule lets patches through, from 0 for not at all.
func weightOf(r *Rule) int {
	switch r.Verdict {
	case Defer:
		return 1
	case RequireApproval:
		return 2
	case Approve:
		return 3
	}
	return 0
}

// A setting is a field that layers set as a whole.
type setting struct {
	path string

	// adds says that what layers list adds up. Otherwise the nearest layer that sets the field wins.
	adds bool

	// order returns how tight the value of a layer is: the greater, the tighter. nil if the field knows no such order.
	order func(p *Layer) int64
}

// settings lists all of them, in the order of [Policy]. What "tighter" means is said here and nowhere else:
//
//   - Fewer devices at once or in a while, fewer attempts and fewer answers that spend none.
//   - Longer until an unreachable device is left out of account.
//   - More of an opening that must be left.
//   - First installations spread over longer.
//   - Fewer restarts.
//   - No joiners.
//   - Hosts that wait for all of their guests.
//   - Nothing irreversible, nothing acknowledged.
//   - A more restrictive way to combine rules.
//
// For rules, tighter means to add only rules that keep patches away: those that reject, hold or defer.
func settings() []setting {
	return []setting{
		{path: "name"},
		{path: "rules", adds: true},
		{path: "rings"},
		{path: "windows"},
		{path: "download.windows"},
		{path: "freezes", adds: true},
		{path: "fit.work", order: func(l *Layer) int64 { return int64(l.Policy.Fit.Work) }},
		{path: "fit.reboot", order: func(l *Layer) int64 { return int64(l.Policy.Fit.Reboot) }},
		{path: "missed"},
		{path: "salt"},
		{path: "strata"},
		{path: "covers"},
		{path: "joiners", order: func(l *Layer) int64 { return -int64(l.Policy.Joiners) }},
		{path: "need"},
		{path: "startJitter", order: func(l *Layer) int64 { return int64(l.Policy.StartJitter) }},
		{path: "hostLabel"},
		{path: "guests", order: func(l *Layer) int64 { return -int64(l.Policy.Guests) }},
		{path: "priority"},
		{path: "maxActive", order: func(l *Layer) int64 {
			if l.Policy.MaxActive == 0 { // no limit
				return math.MinInt64
			}
			return -int64(l.Policy.MaxActive)
		}},
		{path: "rate", order: func(l *Layer) int64 { return l.Policy.Rate.tightness() }},
		{path: "budgets", adds: true},
		{path: "drain.timeout"},
		{path: "retry.attempts", order: func(l *Layer) int64 { return -int64(l.Policy.Retry.WithDefaults().Attempts) }},
		{path: "retry.backoff"},
		{path: "retry.maxBackoff"},
		{path: "retry.busyEvery"},
		{path: "retry.busyLimit", order: func(l *Layer) int64 { return -int64(l.Policy.Retry.WithDefaults().BusyLimit) }},
		{path: "retry.offlineEvery"},
		{path: "retry.grace", order: func(l *Layer) int64 { return int64(l.Policy.Retry.WithDefaults().Grace) }},
		{path: "retry.offlineDeadline"},
		{path: "retry.timeout"},
		{path: "retry.remedies"},
		{path: "breaker"},
		{path: "backup.need", order: func(l *Layer) int64 { return int64(l.Policy.Backup.Need) }},
		{path: "backup.maxAge"},
		{path: "reboot.mode", order: func(l *Layer) int64 { return -int64(l.Policy.Reboot.Mode) }},
		{path: "reboot.timeout"},
		{path: "reboot.windows"},
		{path: "reboot.deferrals"},
		{path: "reboot.quiet"},
		{path: "reboot.before", order: func(l *Layer) int64 { return -int64(l.Policy.Reboot.Before) }},
		{path: "rollback.on"},
		{path: "rollback.maxFailed"},
		{path: "rollback.maxFailures"},
		{path: "rollback.inWindows"},
		{path: "rollback.wait"},
		{path: "rollback.irreversible", order: func(l *Layer) int64 { return unless(l.Policy.Rollback.Irreversible) }},
		{path: "rollback.acknowledged", order: func(l *Layer) int64 { return unless(l.Policy.Rollback.Acknowledged) }},
		{path: "health.metrics"},
		{path: "health.feedback"},
		{path: "escalation"},
		{path: "health.probes"},
		{path: "deadlines", adds: true},
		{path: "exceptions", adds: true},
		{path: "holds", adds: true},
		{path: "combine", order: func(l *Layer) int64 { return -int64(l.Combine) }},
	}
}

func unless(b bool) int64 {
	if b {
		return 0
	}
	return 1
}

func settingOf(path string) (setting, bool) {
	all := settings()
	if i := slices.IndexFunc(all, func(s setting) bool { return s.path == path }); i >= 0 {
		return all[i], true
	}
	return setting{}, false
}
