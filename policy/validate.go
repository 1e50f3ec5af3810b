package policy

import (
	"encoding"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/patchflow/patchflow/policy/calendar"
)

// Validate reports everything that is wrong with p, each fault as a [FieldError] that names the field. A policy that it
// accepts can be written, read back, and used by every function of this package. The zone names of windows are looked
// up in the zone database of the host.
//
// A policy needs a name. Rules and rings may be missing altogether: such a policy installs nothing.
func (p *Policy) Validate() error { return gather(p.faults()) }

// faults returns what is wrong with p, in the order of its fields.
func (p *Policy) faults() []*FieldError {
	var c checker
	c.name("name", p.Name)
	seen := make(map[string]int, len(p.Rules))
	for i := range p.Rules {
		at := index("rules", i)
		c.rule(at, &p.Rules[i])
		c.unique(join(at, "name"), "rules", p.Rules[i].Name, seen, i)
	}
	c.rings(p.Rings)
	c.windows("windows", p.Windows)
	c.windows("download.windows", p.Download.Windows)
	c.freezes(p)
	c.fit(p)
	c.enum("missed", p.Missed)
	c.need("need", &p.Need, true)
	if p.Salt != "" {
		c.name("salt", p.Salt)
	}
	c.strata(p)
	c.enum("joiners", p.Joiners)
	c.hosts(p)
	const maxJitter = Duration(7 * 24 * 3600e9)
	if c.duration("startJitter", p.StartJitter); p.StartJitter > maxJitter {
		c.fault("startJitter", "%s is longer than %s", p.StartJitter, maxJitter)
	}
	c.count("maxActive", p.MaxActive)
	const maxPriority = 1000
	if p.Priority < 0 || p.Priority > maxPriority {
		c.fault("priority", "%d is not from 0 to %d", p.Priority, maxPriority)
	}
	c.rate("rate", p.Rate)
	c.budgets(p.Budgets)
	c.drain(p)
	c.retry("retry", p.Retry)
	c.breaker("breaker", p.Breaker)
	c.enum("reboot.mode", p.Reboot.Mode)
	c.duration("reboot.timeout", p.Reboot.Timeout)
	c.windows("reboot.windows", p.Reboot.Windows)
	c.deferrals("reboot.deferrals", p.Reboot.Deferrals)
	if len(p.Reboot.Windows) > 0 && p.Reboot.Mode == RebootNever {
		c.fault("reboot.windows", "there are windows, but reboot.mode is never")
	}
	if p.Reboot.Deferrals.Max > 0 && p.Reboot.Mode == RebootNever {
		c.fault("reboot.deferrals", "people may defer, but reboot.mode is never")
	}
	c.windows("reboot.quiet", p.Reboot.Quiet)
	if len(p.Reboot.Quiet) > 0 && p.Reboot.Mode == RebootNever {
		c.fault("reboot.quiet", "there are quiet times, but reboot.mode is never")
	}
	c.enum("reboot.before", p.Reboot.Before)
	if p.Reboot.Before != BeforeNever && p.Reboot.Mode == RebootNever {
		c.fault("reboot.before", "devices are to be restarted before, but reboot.mode is never")
	}
	c.enum("backup.need", p.Backup.Need)
	c.duration("backup.maxAge", p.Backup.MaxAge)
	if p.Backup.MaxAge > 0 && p.Backup.Need == BackupNone {
		c.fault("backup.maxAge", "there is an age, but backup.need is none")
	}
	c.enum("rollback.on", p.Rollback.On)
	c.duration("rollback.wait", p.Rollback.Wait)
	c.share("rollback.maxFailed", p.Rollback.MaxFailed)
	c.count("rollback.maxFailures", p.Rollback.MaxFailures)
	c.health("health", &p.Health)
	c.controls("rings", p)
	c.levels("escalation", p.Escalation)
	c.covers("covers", p.Covers)
	c.deadlines(p.Deadlines)
	c.exceptions(p.Exceptions)
	c.holds(p.Holds)
	return c.faults
}

// A checker gathers faults.
type checker struct{ faults []*FieldError }

func (c *checker) fault(path, format string, args ...any) {
	c.faults = append(c.faults, &FieldError{Path: path, Err: fmt.Errorf(format, args...)})
}

// name checks a text that names something: it is printed on one line, and compared.
func (c *checker) name(path, s string) {
	switch {
	case s == "":
		c.fault(path, "missing")
	case strings.TrimSpace(s) != s:
		c.fault(path, "%q begins or ends with a blank", clip(s))
	case strings.ContainsFunc(s, unicode.IsControl):
		c.fault(path, "%q has control characters", clip(s))
	default:
		c.text(path, s)
	}
}

func (c *checker) text(path, s string) {
	if !utf8.ValidString(s) {
		c.fault(path, "%q is not UTF-8", clip(s))
	}
}

func (c *checker) unique(path, list, name string, seen map[string]int, i int) {
	if name == "" {
		return
	}
	if first, ok := seen[name]; ok {
		c.fault(path, "%q is the name of %s already", clip(name), index(list, first))
		return
	}
	seen[name] = i
}

func (c *checker) count(path string, n int) {
	if n < 0 {
		c.fault(path, "%d is negative", n)
	}
}

func (c *checker) duration(path string, d Duration) {
	if d < 0 {
		c.fault(path, "%s is negative", d)
	}
}

func (c *checker) share(path string, s Share) {
	switch {
	case s < 0:
		c.fault(path, "%s is negative", s)
	case s > whole:
		c.fault(path, "%s is more than 100%%", s)
	}
}

// enum checks a value that has a text form only if there is such a value.
func (c *checker) enum(path string, v encoding.TextMarshaler) {
	if _, err := v.MarshalText(); err != nil {
		c.fault(path, "%w", err)
	}
}

func (c *checker) rule(path string, r *Rule) {
	c.name(join(path, "name"), r.Name)
	c.match(join(path, "match"), &r.Match)
	if r.Verdict == NoDecision {
		c.fault(join(path, "verdict"), "missing")
	}
	c.enum(join(path, "verdict"), r.Verdict)
	c.duration(join(path, "for"), r.For)
	switch {
	case r.Verdict == Defer && r.For == 0:
		c.fault(join(path, "for"), "missing: a rule that defers says for how long")
	case r.Verdict != Defer && r.For != 0:
		c.fault(join(path, "for"), "only a rule that defers has it")
	}
	c.enum(join(path, "from"), r.From)
	if r.Verdict != Defer && r.From != SinceReleased {
		c.fault(join(path, "from"), "only a rule that defers has it")
	}
	c.text(join(path, "reason"), r.Reason)
	c.approvers(path, r)
}

func (c *checker) approvers(path string, r *Rule) {
	c.people(join(path, "approvers"), r.Approvers)
	c.count(join(path, "quorum"), r.Quorum)
	if r.Verdict != RequireApproval && len(r.Approvers) > 0 {
		c.fault(join(path, "approvers"), "only a rule that requires approval has them")
	}
	if r.Verdict != RequireApproval && r.Quorum > 0 {
		c.fault(join(path, "quorum"), "only a rule that requires approval has it")
	}
}

func (c *checker) match(path string, m *Match) {
	if m.isZero() {
		c.fault(path, "says nothing: a rule about everything says all: true")
	}
	for i, id := range m.IDs {
		c.pattern(index(join(path, "ids"), i), string(id))
	}
	for i, class := range m.Classifications {
		c.enum(index(join(path, "classifications"), i), class)
	}
	c.enum(join(path, "minSeverity"), m.MinSeverity)
	for i, name := range m.Packages {
		c.pattern(index(join(path, "packages"), i), name)
	}
	c.duration(join(path, "minAge"), m.MinAge)
}

func (c *checker) pattern(path, s string) {
	switch star := strings.IndexByte(s, '*'); {
	case s == "":
		c.fault(path, "empty")
	case s == "*":
		c.fault(path, "stands for everything: leave the field out")
	case star >= 0 && star < len(s)-1:
		c.fault(path, "%q has a * that is not its end", clip(s))
	default:
		c.text(path, s)
	}
}

func (c *checker) rings(rings []Ring) {
	seen := make(map[string]int, len(rings))
	rest, everyone := -1, false
	var shares Share
	for i := range rings {
		r := &rings[i]
		path := index("rings", i)
		c.name(join(path, "name"), r.Name)
		if strings.Contains(r.Name, "/") {
			c.fault(join(path, "name"), "%q has a slash, which parts the names in a task's ID", clip(r.Name))
		}
		c.unique(join(path, "name"), "rings", r.Name, seen, i)
		c.ring(path, r)
		c.need(join(path, "need"), &r.Need, i == 0)
		everyone = everyone || r.Devices.String() == "*"
		shares += min(max(r.Share, 0), whole+1)
		if r.Rest {
			if rest >= 0 {
				c.fault(join(path, "rest"), "%s takes the rest already", index("rings", rest))
			} else if i < len(rings)-1 {
				c.fault(join(path, "rest"), "only the last ring can take the rest")
			}
			rest = i
		}
	}
	switch {
	case shares > whole:
		c.fault("rings", "their shares come to %s, more than 100%%", shares)
	case len(rings) > 0 && shares < whole && rest < 0 && !everyone:
		c.fault("rings", "some devices belong to none: their shares come to %s, and the last does not take the rest", shares)
	}
}

func (c *checker) ring(path string, r *Ring) {
	ways := 0
	for _, way := range []bool{!r.Devices.IsZero(), r.Size != 0, r.Share != 0, r.Rest} {
		if way {
			ways++
		}
	}
	switch {
	case ways == 0:
		c.fault(path, "nobody belongs to it: want one of devices, size, share and rest")
	case ways > 1:
		c.fault(path, "more than one of devices, size, share and rest: want one")
	}
	c.count(join(path, "size"), r.Size)
	c.share(join(path, "share"), r.Share)
	c.count(join(path, "minDevices"), r.MinDevices)
	if r.MinDevices > 0 && r.Share == 0 {
		c.fault(join(path, "minDevices"), "only a ring with a share has it")
	}
	c.share(join(path, "shows"), r.Shows)
	if r.Shows > 0 && r.Share == 0 {
		c.fault(join(path, "shows"), "only a ring with a share has it")
	}
	c.count(join(path, "maxActive"), r.MaxActive)
	c.count(join(path, "ramp"), r.Ramp)
	if r.MaxActive > 0 && r.Ramp >= r.MaxActive {
		c.fault(join(path, "ramp"), "it begins with %d devices, and no more than maxActive, %d, are worked on at once", r.Ramp, r.MaxActive)
	}
	c.windows(join(path, "windows"), r.Windows)
	c.windows(join(path, "download.windows"), r.Download.Windows)
	c.gate(join(path, "gate"), r.Gate)
}

func (c *checker) gate(path string, g Gate) {
	c.enum(join(path, "denominator"), g.Denominator)
	c.share(join(path, "minSuccess"), g.MinSuccess)
	c.share(join(path, "maxFailed"), g.MaxFailed)
	if sum := g.MinSuccess + g.MaxFailed; sum > whole && g.MinSuccess <= whole && g.MaxFailed <= whole {
		c.fault(join(path, "minSuccess"), "%s and maxFailed %s come to more than 100%%: the gate could pass and fail at once",
			g.MinSuccess, g.MaxFailed)
	}
	c.count(join(path, "minSample"), g.MinSample)
	c.share(join(path, "minCoverage"), g.MinCoverage)
	c.duration(join(path, "soak"), g.Soak)
	c.duration(join(path, "timeout"), g.Timeout)
	if g.Timeout > 0 && g.Timeout <= g.Soak {
		c.fault(join(path, "timeout"), "%s is over before the soak of %s is: the gate could never pass", g.Timeout, g.Soak)
	}
	c.evidence(join(path, "evidence"), g.Evidence)
	c.control(join(path, "control"), g.Control)
	if g.Evidence.Weighs() && g.Evidence.Below == 0 && g.MinSuccess == 0 && g.MaxFailed == whole {
		c.fault(join(join(path, "evidence"), "below"), "is missing: with maxFailed 100%% and no minSuccess nothing else would have to hold for the gate to pass")
	}
	c.enum(join(path, "onTimeout"), g.OnTimeout)
	if g.OnTimeout != TimeoutHolds && g.Timeout == 0 {
		c.fault(join(path, "onTimeout"), "there is no timeout")
	}
}

func (c *checker) retry(path string, r Retry) {
	c.count(join(path, "attempts"), r.Attempts)
	c.duration(join(path, "backoff"), r.Backoff)
	c.duration(join(path, "maxBackoff"), r.MaxBackoff)
	if d := r.WithDefaults(); d.Backoff > d.MaxBackoff && r.MaxBackoff >= 0 {
		c.fault(join(path, "backoff"), "%s is longer than maxBackoff, %s", d.Backoff, d.MaxBackoff)
	}
	c.duration(join(path, "busyEvery"), r.BusyEvery)
	c.count(join(path, "busyLimit"), r.BusyLimit)
	c.duration(join(path, "offlineEvery"), r.OfflineEvery)
	c.duration(join(path, "grace"), r.Grace)
	c.duration(join(path, "offlineDeadline"), r.OfflineDeadline)
	if d := r.WithDefaults(); d.OfflineDeadline > 0 && d.OfflineDeadline < d.Grace {
		c.fault(join(path, "offlineDeadline"), "%s is over before the grace of %s is", d.OfflineDeadline, d.Grace)
	}
	c.duration(join(path, "timeout"), r.Timeout)
	c.remedies(join(path, "remedies"), r.Remedies)
}

func (c *checker) windows(path string, ws []Window) {
	for i, w := range ws {
		at := index(path, i)
		c.enum(join(at, "days"), w.Days)
		if w.Days != 0 && !w.On.IsZero() {
			c.fault(join(at, "on"), "there are days too: want one of days and on")
		}
		if c.enum(join(at, "gap"), w.Gap); w.Gap == calendar.GapKeep {
			c.fault(join(at, "gap"), "a window cannot keep to an offset that is over: want shift or skip")
		}
		c.enum(join(at, "start"), w.Start)
		if w.Start == minutesPerDay {
			c.fault(join(at, "start"), "24:00 is an end: write 00:00 and the day after")
		}
		c.enum(join(at, "end"), w.End)
		c.zone(join(at, "zone"), w.Zone)
	}
}
