package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

// LintFacts are what [Lint] holds a policy against. What is not known stays zero, and is then not judged.
type LintFacts struct {
	Now     time.Time      // openings are looked at from then on, for a year
	Zones   []string       // in which devices are, IANA names; none means UTC, which is nearly the same for the length of waits
	Rings   []int          // how many devices each ring of the policy holds
	Patches []*patch.Patch // that devices miss
	Backup  bool           // something else than patchflow can bring devices back to where they were
	Labels  map[string]int // how many devices have each label; nil means that it is not known

	FailureRate Share // in all rings together, that a ring is to show ([SampleSizeOf]); 0 means 5 %
	Confidence  Share // with which it is to show it; 0 means 95 %
}

// A Warning says that a policy, valid as it is, had better be another. It is a code with its parameters; String renders
// it in English.
type Warning struct {
	Code LintCode `json:"code"`
	Path string   `json:"path"`           // of the field that it is about, as in [FieldError]
	Name string   `json:"name,omitempty"` // of the ring, the rule, the deadline, the level or the budget; or the label

	Patch   patch.ID `json:"patch,omitempty"`   // one of those that it is about
	Patches int      `json:"patches,omitempty"` // how many these are

	Devices    int   `json:"devices,omitempty"` // that the ring has
	Need       int   `json:"need,omitempty"`    // that it takes; of a breaker: failed tries
	Advised    int   `json:"advised,omitempty"` // that it is advised to have at least ([LeastFor]), if it has fewer, is the first, and that is less than Need
	Fleet      int   `json:"fleet,omitempty"`   // with Advised: that all rings have
	Tries      int   `json:"tries,omitempty"`   // of a breaker: that can fail at most, or that it looks at
	Rate       Share `json:"rate,omitempty"`
	Confidence Share `json:"confidence,omitempty"`

	// The proof that a deadline cannot be met: what is wanted at From can begin at Until, in devices in Zone and the ring
	// Ring. Until is zero if it never can. Within is the time that there is.
	Zone   string    `json:"zone,omitempty"`
	Ring   string    `json:"ring,omitempty"`
	From   time.Time `json:"from,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	Within Duration  `json:"within,omitempty"`

	// Where the field stands in the document that [Load] has read; zero from [Lint].
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// LintCode says what kind of warning a [Warning] is.
type LintCode uint8

const (
	LintNone            LintCode = iota
	LintNoTestRing               // patches of high impact go out without having been tried on a few devices first
	LintNoWayBack                // what fails is not taken back, devices are not backed up, and nobody has acknowledged that
	LintRingTooSmall             // a ring has too few devices to show a failure rate, and perhaps, as the first, fewer than are advised
	LintUnreachable              // windows, freezes and soaks do not let a deadline be met
	LintLateDeferral             // a deferral can last until what is left before a deadline is too short for windows and soaks
	LintAllAtOnce                // every device is worked on at once
	LintUnknownZone              // devices of a zone have no schedule
	LintIdleDownload             // there are windows for downloads, and nothing that an installation would wait for meanwhile
	LintIdleStrata               // there are strata, and no ring that is divided after them
	LintIdleLevel                // a level of the escalation waits for more attempts than there are
	LintIdleUndoWindows          // rollbacks keep windows, and there is neither a window nor a freeze
	LintNoRestart                // quiet times leave no time at all in which a device might be restarted
	LintIdleBreaker              // a gate stops the rollout before a breaker has seen enough tries fail
	LintHastyBreaker             // a breaker trips after one failed try, or at a rate of failure that a gate tolerates
	LintUnknownLabel             // a setting goes by a label that no device has
)

func lintNames() enum.Names {
	return enum.Names{"none", "no-test-ring", "no-way-back", "ring-too-small", "unreachable", "late-deferral", "all-at-once", "unknown-zone", "idle-download", "idle-strata",
		"idle-level", "idle-undo-windows", "no-restart", "idle-breaker", "hasty-breaker", "unknown-label"}
}

// String returns the lower-case name, as used in JSON and YAML.
func (c LintCode) String() string { return lintNames().String("warning", int(c)) }

// MarshalText implements [encoding.TextMarshaler].
func (c LintCode) MarshalText() ([]byte, error) { return lintNames().Text("warning", int(c)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (c *LintCode) UnmarshalText(text []byte) error {
	v, err := lintNames().Parse("warning", text)
	*c = LintCode(v)
	return err
}

// Lint returns what is unwise about a policy that [Policy.Validate] accepts, in the order of the codes and then of the
// fields. It is pure. A policy that installs nothing has nothing unwise about it.
func Lint(p *Policy, f LintFacts) []Warning {
	if len(p.Rings) == 0 || !slices.ContainsFunc(p.Rules, func(r Rule) bool { return r.Verdict >= RequireApproval }) {
		return nil
	}
	f.FailureRate = cmp.Or(f.FailureRate, showRate)
	f.Confidence = cmp.Or(f.Confidence, showConfidence)
	l := linter{policy: p, facts: f}
	for i := range p.Rings {
		if i >= len(f.Rings) || f.Rings[i] > 0 {
			l.rings = append(l.rings, i)
		}
	}
	l.testRing()
	l.wayBack()
	l.ringSizes()
	l.deadlines()
	l.allAtOnce()
	l.downloads()
	l.strata()
	l.levels()
	l.undoWindows()
	l.quiet()
	l.breakers()
	l.labels()
	slices.SortStableFunc(l.warnings, func(a, b Warning) int { return cmp.Compare(a.Code, b.Code) })
	return l.warnings
}

type linter struct {
	policy   *Policy
	facts    LintFacts
	rings    []int // that hold devices, as far as is known
	warnings []Warning
}

func (l *linter) warn(w Warning) { l.warnings = append(l.warnings, w) }

// installs says whether some rule would let x be installed somewhere, sooner or later.
func (l *linter) installs(x *patch.Patch) bool {
	for i := range l.policy.Rules {
		r := &l.policy.Rules[i]
		if r.Verdict < RequireApproval || mustBeNamed(x.Classification) && !r.Match.names(x) {
			continue
		}
		anywhere := r.Match
		anywhere.All, anywhere.MinAge, anywhere.Devices = true, 0, inventory.Selector{}
		if anywhere.matches(predicate.Facts{Patch: x}, true) {
			return true
		}
	}
	return false
}

// impact says whether a patch of class c changes more of a device than a correction does.
func impact(c patch.Classification) bool {
	return c == patch.ClassFeature || c == patch.ClassDriver || c == patch.ClassFirmware
}

func (l *linter) testRing() {
	if l.tests() {
		return
	}
	w := Warning{Code: LintNoTestRing, Path: "rings"}
	for i := range l.policy.Rules {
		r := &l.policy.Rules[i]
		if r.Verdict >= RequireApproval && slices.ContainsFunc(r.Match.Classifications, impact) {
			w.Name = r.Name
			break
		}
	}
	for _, x := range l.facts.Patches {
		if (impact(x.Classification) || x.Reboot == patch.RebootAlways) && l.installs(x) {
			if w.Patches == 0 || x.ID < w.Patch {
				w.Patch = x.ID
			}
			w.Patches++
		}
	}
	if w.Name != "" || w.Patches > 0 {
		l.warn(w)
	}
}

// tests says whether the first ring is smaller than what comes after it.
func (l *linter) tests() bool {
	if len(l.rings) < 2 {
		return false
	}
	if len(l.facts.Rings) > 0 {
		first, all := l.facts.Rings[l.rings[0]], 0
		for _, n := range l.facts.Rings {
			all += n
		}
		return first <= all/2
	}
	r := &l.policy.Rings[l.rings[0]]
	return r.Share <= whole/2 && !r.Rest && r.Devices.String() != "*"
}

func (l *linter) wayBack() {
	back := l.policy.Rollback
	if l.facts.Backup || l.policy.Backup.Need == BackupRequired || back.Acknowledged {
		return
	}
	w := Warning{Code: LintNoWayBack, Path: "rollback"}
	if back.On == FailHolds {
		l.warn(w)
		return
	}
	if !back.Irreversible {
		return // a plan with what cannot be taken back is refused
	}
	for _, x := range l.facts.Patches {
		if !x.Reversal.Possible() && l.installs(x) {
			if w.Patches == 0 || x.ID < w.Patch {
				w.Patch = x.ID
			}
			w.Patches++
		}
	}
	if w.Patches > 0 {
		l.warn(w)
	}
}

func (l *linter) ringSizes() {
	fleet := 0
	for _, n := range l.facts.Rings {
		fleet += n
	}
	need, ok := SampleSizeOf(fleet, l.facts.FailureRate, l.facts.Confidence)
	if !ok {
		return
	}
	for _, i := range l.rings[:max(len(l.rings)-1, 0)] { // nothing opens after the last
		if i >= len(l.facts.Rings) || l.facts.Rings[i] >= need {
			continue
		}
		w := Warning{Code: LintRingTooSmall, Path: index("rings", i), Name: l.policy.Rings[i].Name, Devices: l.facts.Rings[i],
			Need: need, Rate: l.facts.FailureRate, Confidence: l.facts.Confidence}
		if least := LeastFor(fleet); i == l.rings[0] && w.Devices < least && least < need {
			w.Advised, w.Fleet = least, fleet
		}
		l.warn(w)
	}
}

func (l *linter) deadlines() {
	if len(l.policy.Deadlines) == 0 {
		return
	}
	zones := l.facts.Zones
	if len(zones) == 0 {
		zones = []string{"UTC"}
	}
	zones = slices.Compact(slices.Sorted(slices.Values(zones)))
	var worst wait
	where := ""
	for _, zone := range zones {
		s, err := l.policy.longestWait(l.facts.Rings, zone, l.facts.Now)
		switch {
		case err != nil:
			l.warn(Warning{Code: LintUnknownZone, Path: "windows", Zone: zone})
		case where == "", !worst.until.IsZero() && (s.until.IsZero() || s.length() > worst.length()):
			worst, where = s, zone
		}
	}
	if where == "" {
		return
	}
	for i := range l.policy.Deadlines {
		d := &l.policy.Deadlines[i]
		w := Warning{Path: index("deadlines", i), Name: d.Name, Zone: where, From: worst.from, Until: worst.until, Within: d.Within}
		if worst.ring >= 0 {
			w.Ring = l.policy.Rings[worst.ring].Name
		}
		switch {
		case worst.until.IsZero():
			w.Code = LintUnreachable
		case d.Now:
		case worst.length() > d.Within.Std():
			w.Code = LintUnreachable
		case worst.length() > d.reserve().Std() && l.defers(d.Within-Duration(worst.length())):
			w.Code, w.Within = LintLateDeferral, d.reserve()
		}
		if w.Code != LintNone {
			l.warn(w)
		}
	}
}

// defers says whether some rule defers for longer than d.
func (l *linter) defers(d Duration) bool {
	return slices.ContainsFunc(l.policy.Rules, func(r Rule) bool { return r.Verdict == Defer && r.For > d })
}

func (l *linter) allAtOnce() {
	if len(l.rings) != 1 || l.policy.MaxActive > 0 {
		return
	}
	i := l.rings[0]
	devices := 0
	if i < len(l.facts.Rings) {
		devices = l.facts.Rings[i]
	}
	if r := &l.policy.Rings[i]; r.MaxActive == 0 && devices != 1 {
		l.warn(Warning{Code: LintAllAtOnce, Path: index("rings", i), Name: r.Name, Devices: devices})
	}
}

// downloads warns of windows for downloads that change nothing, since installations begin at once.
func (l *linter) downloads() {
	p := l.policy
	if len(p.Windows) > 0 || len(p.Freezes) > 0 {
		return
	}
	if len(p.Download.Windows) > 0 && !slices.ContainsFunc(p.Rings, func(r Ring) bool { return len(r.Windows) > 0 }) {
		l.warn(Warning{Code: LintIdleDownload, Path: "download"})
	}
	for i := range p.Rings {
		if r := &p.Rings[i]; len(r.Download.Windows) > 0 && len(r.Windows) == 0 {
			l.warn(Warning{Code: LintIdleDownload, Path: join(index("rings", i), "download"), Name: r.Name})
		}
	}
}

// String returns w in English, in one line without a full stop, the place first.
func (w Warning) String() string {
	var b strings.Builder
	b.WriteString(placeText(w.File, w.Line, w.Column))
	fmt.Fprintf(&b, "%s: ", w.Path)
	switch w.Code {
	case LintNoTestRing:
		b.WriteString("no small ring comes first")
		if w.Name != "" {
			fmt.Fprintf(&b, ", and rule %q lets feature updates, drivers or firmware in", w.Name)
		}
		if w.Patches > 0 {
			fmt.Fprintf(&b, ", and %s of high impact would be installed", some(w.Patch, w.Patches))
		}
	case LintNoWayBack:
		b.WriteString("what fails is not taken back, and there is no backup: roll back, or set acknowledged")
		if w.Patches > 0 {
			b.Reset()
			b.WriteString(placeText(w.File, w.Line, w.Column))
			fmt.Fprintf(&b, "%s: %s cannot be taken back, and there is no backup: set acknowledged if that is accepted", w.Path, some(w.Patch, w.Patches))
		}
	case LintRingTooSmall:
		fmt.Fprintf(&b, "ring %q has %d devices; to show a failure rate of %s with a confidence of %s takes %d", w.Name, w.Devices, w.Rate, w.Confidence, w.Need)
		if w.Advised > 0 {
			fmt.Fprintf(&b, "; at least %d are advised for the first ring of %d", w.Advised, w.Fleet)
		}
	case LintUnreachable:
		fmt.Fprintf(&b, "deadline %q cannot be met: what is wanted at %s %s", w.Name, moment(w.From), w.wait())
	case LintLateDeferral:
		fmt.Fprintf(&b, "a deferral leaves too little before deadline %q: what is wanted at %s %s", w.Name, moment(w.From), w.wait())
	case LintAllAtOnce:
		fmt.Fprintf(&b, "ring %q takes every device at once: add rings, or set maxActive", w.Name)
	case LintUnknownZone:
		fmt.Fprintf(&b, "devices in zone %q have no schedule", w.Zone)
	case LintIdleDownload:
		b.WriteString("nothing is downloaded ahead: without windows for the installation nothing waits for one")
	case LintIdleStrata:
		b.WriteString("no ring has a size or a share, so nothing is divided after the strata")
	case LintIdleLevel:
		fmt.Fprintf(&b, "nothing raises level %q: no device is tried so often", w.Name)
	case LintIdleUndoWindows:
		b.WriteString("there is neither a window nor a freeze that a rollback could keep")
	case LintNoRestart:
		fmt.Fprintf(&b, "quiet times leave no time in which devices in zone %q might be restarted: those that must be fail", w.Zone)
	case LintIdleBreaker:
		fmt.Fprintf(&b, "the breaker never trips: %d tries can fail before a gate has stopped the rollout, and it takes %d", w.Tries, w.Need)
	case LintHastyBreaker:
		if w.Rate == 0 {
			b.WriteString("the breaker trips after one failed try: whatever one device meets with keeps the others waiting")
		} else {
			fmt.Fprintf(&b, "the breaker trips after %d failures of %d tries, and a gate tolerates %s", w.Need, w.Tries, w.Rate)
		}
	case LintUnknownLabel:
		b.WriteString(labelText(&w))
	default:
		b.WriteString("no warning")
	}
	return b.String()
}

func (w *Warning) wait() string {
	where := "in zone " + w.Zone
	if w.Ring != "" {
		where = fmt.Sprintf("in ring %q, %s", w.Ring, where)
	}
	switch {
	case w.Until.IsZero():
		return fmt.Sprintf("can never begin %s", where)
	case w.Within == 0:
		return fmt.Sprintf("begins no sooner than %s %s", moment(w.Until), where)
	}
	return fmt.Sprintf("begins no sooner than %s %s, %s later, and there are %s", moment(w.Until), where, Duration(w.Until.Sub(w.From)), w.Within)
}

// some names one patch of n.
func some(id patch.ID, n int) string {
	if n == 1 {
		return "patch " + string(id)
	}
	return fmt.Sprintf("%d patches such as %s", n, id)
}
