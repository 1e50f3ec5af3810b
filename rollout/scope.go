package rollout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
)

// ScopeConfig is what a [Scope] starts from.
type ScopeConfig struct {
	Key
	Policy     policy.Policy
	Catalog    *patch.Catalog
	By         string       // who asks for the rollout
	At         time.Time    // the time at which the policy is asked
	Salt       string       // as in [PlanInput]
	Quarantine []Quarantine // what earlier rollouts of the tenant have rolled back

	// FirstSeen tells when a device was first seen to miss a patch, zero if that is not known; deadlines may go by it, and the
	// plan keeps it for the [Timeline]. nil knows of none.
	FirstSeen func(d *inventory.Device, x patch.ID) time.Time

	// Approved tells when a patch was approved for a device, zero if it was not; deadlines and deferrals may go by it. It is the
	// product's own approval of patches, one by one, and not the leave for a ring. nil knows of none.
	Approved func(d *inventory.Device, x patch.ID) time.Time
}

// A Scope gathers, device by device, what a plan is made from: what each misses, and what the policy says of it. It keeps
// a few bytes for a device, so that a fleet of any size can be streamed through it. It is not safe for concurrent use.
type Scope struct {
	cfg      ScopeConfig
	held     map[patch.ID][]Quarantine
	contents map[string]uint32
	zones    map[string]zone
	tenants  map[inventory.Tenant]uint16
	local    bool // the windows go by the devices' own clocks
	clocks   bool // the rules or deadlines go by when a patch was first seen or approved
	domains  *Domains
	strata   *Strata
	hosts    *Hosts
	in       PlanInput
	sum      Summary
	key      []byte
	seen     map[patch.ID]bool
}

type zone struct {
	index uint16
	err   error
}

// A Summary says in numbers what a [Scope] has seen.
type Summary struct {
	Devices int            `json:"devices"` // looked at
	Clean   int            `json:"clean"`   // miss nothing, and that is known
	Unknown int            `json:"unknown"` // never scanned, or not covered completely, and nothing is known to be missing
	Missing int            `json:"missing"` // miss something
	Targets int            `json:"targets"` // get something by this plan
	Tally   policy.Tally   `json:"tally"`   // verdicts on findings
	Patches int            `json:"patches"` // distinct patches that some device gets
	Skipped map[string]int `json:"skipped,omitempty"`
	// Examples names up to three devices for every reason in Skipped.
	Examples map[string][]inventory.DeviceID `json:"examples,omitempty"`
}

// Reasons for which a device that the policy approves something for is left out of a plan, and findings are not installed.
const (
	SkipNoZone      = "no-zone"      // windows or freezes go by its own clock, and it has no time zone that is known here
	SkipHeld        = "held"         // every package was told not to change
	SkipNoBuild     = "no-build"     // only the source package of the fix is known, and no package that could be installed
	SkipPrerequired = "prerequisite" // a patch that must be installed first is not approved
	SkipNoDomain    = "no-domain"    // a budget drains it, and it lacks a label by which that budget tells its domains apart
)

// QuarantineRule is the name under which findings count that a quarantine holds.
const QuarantineRule = "quarantine"

// NewScope makes an empty scope. It fails if the policy does not hold together.
func NewScope(cfg ScopeConfig) (*Scope, error) {
	if err := cfg.Policy.Validate(); err != nil {
		return nil, fmt.Errorf("rollout: %s: %w", cfg.Key, err)
	}
	if cfg.Catalog == nil {
		return nil, fmt.Errorf("rollout: %s: there is no catalog", cfg.Key)
	}
	s := &Scope{
		cfg: cfg, held: make(map[patch.ID][]Quarantine), contents: make(map[string]uint32), zones: make(map[string]zone),
		tenants: make(map[inventory.Tenant]uint16), domains: NewDomains(cfg.Policy.Budgets),
		seen: make(map[patch.ID]bool),
		in:   PlanInput{Key: cfg.Key, Policy: cfg.Policy, By: cfg.By, At: cfg.At, Salt: cfg.Salt},
		sum:  Summary{Skipped: make(map[string]int), Examples: make(map[string][]inventory.DeviceID)},
	}
	s.strata, s.hosts = NewStrata(&s.cfg.Policy), NewHosts(&s.cfg.Policy)
	var err error
	if s.in.Census, err = censusOf(&s.cfg.Policy); err != nil {
		return nil, fmt.Errorf("rollout: %s: %w", cfg.Key, err)
	}
	for _, q := range cfg.Quarantine {
		if q.Released.IsZero() && (q.Tenant.Contains(cfg.Tenant) || cfg.Tenant.Contains(q.Tenant)) {
			s.held[q.Patch] = append(s.held[q.Patch], q)
		}
	}
	s.local = ownClock(cfg.Policy.Windows) || ownClock(cfg.Policy.Download.Windows) || ownClock(cfg.Policy.Reboot.Windows) || ownClock(cfg.Policy.Reboot.Quiet) ||
		slices.ContainsFunc(cfg.Policy.Freezes, func(f policy.Freeze) bool { return f.Zone == "" })
	s.clocks = byClock(&s.cfg.Policy)
	for i := range cfg.Policy.Rings {
		s.local = s.local || ownClock(cfg.Policy.Rings[i].Windows) || ownClock(cfg.Policy.Rings[i].Download.Windows)
	}
	return s, nil
}

func ownClock(ws []policy.Window) bool {
	return slices.ContainsFunc(ws, func(w policy.Window) bool { return w.Zone == "" })
}

// Add looks at one device, and counts it in its failure domains, whether it gets something or not: what a budget allows is a share
// of all devices that were added. A device of a tenant that is not the rollout's, or below it, is an error.
func (s *Scope) Add(d *inventory.Device) error {
	if !s.cfg.Tenant.Contains(d.Tenant) {
		return fmt.Errorf("rollout: %s: device %s belongs to tenant %q", s.cfg.Key, d.ID, d.Tenant)
	}
	s.sum.Devices++
	if s.in.Census != nil {
		s.in.Census.Add(d)
	}
	place := s.domains.Add(d)
	a := inventory.Assess(s.cfg.Catalog, d)
	switch a.State() {
	case inventory.StateClean:
		s.sum.Clean++
	case inventory.StateMissing:
		s.sum.Missing++
	default:
		s.sum.Unknown++
	}
	approved, needs := s.decide(d, &a)
	if len(approved) == 0 {
		return nil
	}
	content := s.pin(approved)
	content.Passes = s.passes(&content, d)
	if len(content.Patches) == 0 {
		s.skip(whyNothing(approved), d)
		return nil
	}
	z, err := s.zone(d.Zone)
	if err != nil {
		s.skip(SkipNoZone, d)
		return nil
	}
	if s.misplaced(d) {
		s.skip(SkipNoDomain, d)
		return nil
	}
	s.sum.Targets++
	c := s.content(content, needs)
	s.saw(&s.in.Contents[c], d)
	s.in.Targets = append(s.in.Targets, Target{Device: d.ID, Content: c, Place: place, Ring: s.ring(d), Zone: z, Tenant: s.tenant(d.Tenant),
		Stratum: s.strata.Of(d), Host: s.hosts.Of(d)})
	return nil
}

// saw keeps since when the patches of c are seen to be missing, of all devices that get it.
func (s *Scope) saw(c *Content, d *inventory.Device) {
	if s.cfg.FirstSeen == nil {
		return
	}
	for i := range c.Patches {
		p := &c.Patches[i]
		if at := s.cfg.FirstSeen(d, p.ID); !at.IsZero() && (p.Seen.IsZero() || at.Before(p.Seen)) {
			p.Seen = at.UTC()
		}
	}
}

// decide asks the policy about every finding, and returns those that are to be installed: of a chain of patches that
// supersede each other the newest that is approved, so that a deferral of the newest does not starve the device. The needs
// say whose leave that takes; none means nobody's.
func (s *Scope) decide(d *inventory.Device, a *inventory.Assessment) (approved []*inventory.Finding, needs []policy.Need) {
	verdicts := make(map[patch.ID]policy.Verdict, len(a.Findings))
	leave := make(map[patch.ID]policy.Need)
	for i := range a.Findings {
		f := &a.Findings[i]
		x, ok := s.cfg.Catalog.Get(f.Patch)
		if !ok {
			continue
		}
		j := s.cfg.Policy.Judge(s.caseOf(d, a, f, x), s.cfg.At)
		if j.Verdict >= policy.RequireApproval && s.quarantined(x.ID, d) {
			j = policy.Judgement{Verdict: policy.Hold, Rule: QuarantineRule}
		}
		s.sum.Tally.Add(j)
		verdicts[f.Patch] = j.Verdict
		if j.Verdict == policy.RequireApproval {
			leave[f.Patch] = policy.Need{Quorum: j.Quorum, Approvers: j.Approvers}
		}
	}
	for i := range a.Findings {
		f := &a.Findings[i]
		v := verdicts[f.Patch]
		if v < policy.RequireApproval || f.SupersededBy != "" && verdicts[f.SupersededBy] >= policy.RequireApproval {
			continue
		}
		if s.lacksPrerequisite(f.Patch, verdicts) {
			s.skip(SkipPrerequired, d)
			continue
		}
		approved = append(approved, f)
		if need, ok := leave[f.Patch]; ok {
			needs = addNeed(needs, need)
		}
	}
	return approved, needs
}

func (s *Scope) quarantined(id patch.ID, d *inventory.Device) bool {
	return slices.ContainsFunc(s.held[id], func(q Quarantine) bool {
		return q.Tenant.Contains(d.Tenant) && (q.Device == "" || q.Device == d.ID)
	})
}

// lacksPrerequisite says whether a patch needs another one first that the device misses too and that is not approved.
func (s *Scope) lacksPrerequisite(id patch.ID, verdicts map[patch.ID]policy.Verdict) bool {
	x, _ := s.cfg.Catalog.Get(id)
	return slices.ContainsFunc(x.Requires, func(first patch.ID) bool {
		v, missing := verdicts[first]
		return missing && v < policy.RequireApproval
	})
}

func (s *Scope) skip(why string, d *inventory.Device) {
	s.sum.Skipped[why]++
	if ex := s.sum.Examples[why]; len(ex) < 3 {
		s.sum.Examples[why] = append(ex, d.ID)
	}
}

// whyNothing says why nothing of findings can be installed: everything is held, unless something only lacks a build.
func whyNothing(findings []*inventory.Finding) string {
	for _, f := range findings {
		if slices.ContainsFunc(f.Packages, func(m inventory.Missing) bool { return m.Source != "" && !m.Held }) {
			return SkipNoBuild
		}
	}
	return SkipHeld
}

// pin makes the content of findings: exactly the packages that the device has, in exactly the versions that fix them. Of two
// patches for one package the newer wins.
func (s *Scope) pin(findings []*inventory.Finding) Content {
	type want struct {
		missing *inventory.Missing
		patch   int
	}
	var wants []want
	for i, f := range findings {
		for j := range f.Packages {
			m := &f.Packages[j]
			if m.Held || m.Source != "" {
				continue
			}
			at := slices.IndexFunc(wants, func(w want) bool {
				return w.missing.Ecosystem == m.Ecosystem && w.missing.Name == m.Name && w.missing.Arch == m.Arch
			})
			if at < 0 {
				wants = append(wants, want{m, i})
				continue
			}
			if c, err := version.Compare(m.Fixed, wants[at].missing.Fixed); err == nil && c > 0 {
				wants[at] = want{m, i}
			}
		}
	}
	var c Content
	for i, f := range findings {
		x, _ := s.cfg.Catalog.Get(f.Patch)
		p := Pinned{ID: x.ID, Title: x.Title, Reboot: x.Reboot, Reversal: x.Reversal, Severity: x.Severity, Exploited: x.Exploited(),
			Supersedes: slices.Clone(x.Supersedes), Released: x.Released.UTC()}
		for _, w := range wants {
			if w.patch == i {
				p.Packages = append(p.Packages, pinned(x, w.missing))
			}
		}
		if len(p.Packages) > 0 || len(f.Packages) == 0 {
			c.Patches = append(c.Patches, p)
		}
	}
	return s.sorted(c)
}

// passes returns the freezes of the policy that let every patch of c go on to d, by name.
func (s *Scope) passes(c *Content, d *inventory.Device) (names []string) {
	for i := range s.cfg.Policy.Freezes {
		f := &s.cfg.Policy.Freezes[i]
		held := slices.ContainsFunc(c.Patches, func(p Pinned) bool {
			x, ok := s.cfg.Catalog.Get(p.ID)
			return !ok || !f.Excepts(x, d, s.cfg.At)
		})
		if !held {
			names = append(names, f.Name)
		}
	}
	return names
}

// pinned returns the package of x that brings m to its fixed version.
func pinned(x *patch.Patch, m *inventory.Missing) patch.Package {
	for i := range x.Packages {
		p := &x.Packages[i]
		if p.Ecosystem == m.Ecosystem && p.Name == m.Name && p.Fixed == m.Fixed &&
			(p.Arch == m.Arch || p.Arch == "" || p.Arch == "all" || m.Arch == "all") {
			return *p
		}
	}
	return patch.Package{Ecosystem: m.Ecosystem, Name: m.Name, Arch: m.Arch, Fixed: m.Fixed}
}

// sorted puts prerequisites before the patches that need them, and otherwise keeps the order of the IDs.
func (s *Scope) sorted(c Content) Content {
	place := make(map[patch.ID]int, len(c.Patches))
	for i := range c.Patches {
		place[c.Patches[i].ID] = i
	}
	out := make([]Pinned, 0, len(c.Patches))
	done := make([]bool, len(c.Patches))
	var put func(i int)
	put = func(i int) {
		if done[i] {
			return
		}
		done[i] = true // a cycle ends here
		x, _ := s.cfg.Catalog.Get(c.Patches[i].ID)
		for _, first := range x.Requires {
			if j, ok := place[first]; ok {
				put(j)
			}
		}
		out = append(out, c.Patches[i])
	}
	for i := range c.Patches {
		put(i)
	}
	return Content{Patches: out}
}

// content returns the number of c, which is the same for every device that gets the same.
func (s *Scope) content(c Content, needs []policy.Need) uint32 {
	k := strconv.AppendInt(s.key[:0], int64(len(needs)), 10)
	for i := range needs {
		k = strconv.AppendInt(append(k, 4), int64(needs[i].Quorum), 10)
		for _, name := range needs[i].Approvers {
			k = append(append(k, 5), name...)
		}
	}
	k = c.appendKey(k)
	s.key = k
	if i, ok := s.contents[string(k)]; ok {
		return i
	}
	i := uint32(len(s.in.Contents))
	s.contents[string(k)] = i
	s.in.Contents = append(s.in.Contents, c)
	s.in.Approval = append(s.in.Approval, len(needs) > 0)
	s.in.Needs = append(s.in.Needs, needs)
	for j := range c.Patches {
		s.seen[c.Patches[j].ID] = true
	}
	return i
}

var errNoZone = errors.New("no time zone")

// zone returns the number of a time zone. Without windows on the devices' own clocks every zone will do.
func (s *Scope) zone(name string) (uint16, error) {
	if z, ok := s.zones[name]; ok {
		return z.index, z.err
	}
	var z zone
	if s.local {
		if name == "" {
			z.err = errNoZone
		} else if _, err := policy.NewSchedule([]policy.Window{{}}, name); err != nil {
			z.err = err
		}
	}
	if z.err == nil {
		if len(s.in.Zones) == 0 {
			s.in.Zones = []string{""}
		}
		if at := slices.Index(s.in.Zones, name); at >= 0 {
			z.index = uint16(at)
		} else {
			z.index = uint16(len(s.in.Zones))
			s.in.Zones = append(s.in.Zones, name)
		}
	}
	s.zones[name] = z
	return z.index, z.err
}

// misplaced says whether d would be patched without being taken out of service, for want of a label.
func (s *Scope) misplaced(d *inventory.Device) bool {
	return slices.ContainsFunc(s.cfg.Policy.Budgets, func(b policy.Budget) bool { return b.Misplaces(d) })
}

// tenant returns the number of a tenant.
func (s *Scope) tenant(t inventory.Tenant) uint16 {
	i, ok := s.tenants[t]
	if !ok {
		i = uint16(len(s.in.Tenants))
		s.tenants[t] = i
		s.in.Tenants = append(s.in.Tenants, t)
	}
	return i
}

// ring returns the first ring that claims d by its selector.
func (s *Scope) ring(d *inventory.Device) int16 {
	for r := range s.cfg.Policy.Rings {
		if sel := &s.cfg.Policy.Rings[r].Devices; !sel.IsZero() && sel.Matches(d) {
			return int16(r)
		}
	}
	return ByShare
}

// Input returns what [NewPlan] makes a plan of.
func (s *Scope) Input() PlanInput {
	in := s.in
	s.domains.Fill(&in)
	s.strata.Fill(&in)
	s.hosts.Fill(&in)
	return in
}

// Summary returns the numbers so far.
func (s *Scope) Summary() Summary {
	sum := s.sum
	sum.Patches = len(s.seen)
	return sum
}

// String returns the numbers in a few lines for people.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d miss something, %d are clean, %d unknown\n", count(s.Devices, "device"), s.Missing, s.Clean, s.Unknown)
	fmt.Fprintf(&b, "%s\n", s.Tally)
	fmt.Fprintf(&b, "%s get %s\n", count(s.Targets, "device"), count(s.Patches, "patch"))
	for _, line := range s.leftOut() {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// LeftOut says which devices get nothing though the policy approves of something, and why: "left out, no-zone: 2 (ada bob)". It
// is empty if there are none.
func (s Summary) LeftOut() string { return strings.Join(s.leftOut(), "; ") }

func (s Summary) leftOut() (lines []string) {
	for _, why := range slices.Sorted(maps.Keys(s.Skipped)) {
		lines = append(lines, fmt.Sprintf("left out, %s: %d (%s)", why, s.Skipped[why], join(s.Examples[why])))
	}
	return lines
}
