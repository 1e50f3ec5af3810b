package policy

import "slices"

// An EscalationLevel is one step of an escalation: somebody is told when something takes too long or goes wrong too often. A vendor maps
// levels to tickets, pages or mails by their names. Each is raised once for a device or a ring, and cleared when the reason is gone. A
// level that sets nothing but its name is a fault.
type EscalationLevel struct {
	Name     string   `json:"name" yaml:"name"`
	Attempts int      `json:"attempts,omitempty" yaml:"attempts,omitempty"` // so many installations have failed on a device; 0 means that they do not count
	Failed   Share    `json:"failed,omitempty" yaml:"failed,omitempty"`     // more than this share of a ring's devices has failed; 0 means that it does not count
	Waiting  Duration `json:"waiting,omitempty" yaml:"waiting,omitempty"`   // a ring waits so long for a person: it asks for leave, is held, or has failed; 0 means that it does not count
}

// maxLevels is how many levels a policy may have.
const maxLevels = 16

func (c *checker) levels(path string, all []EscalationLevel) {
	if len(all) > maxLevels {
		c.fault(path, "%d levels are more than %d", len(all), maxLevels)
	}
	seen := make(map[string]int)
	for i := range all {
		l, at := &all[i], index(path, i)
		c.name(join(at, "name"), l.Name)
		c.unique(join(at, "name"), path, l.Name, seen, i)
		c.count(join(at, "attempts"), l.Attempts)
		c.share(join(at, "failed"), l.Failed)
		c.duration(join(at, "waiting"), l.Waiting)
		if l.Attempts == 0 && l.Failed == 0 && l.Waiting == 0 {
			c.fault(at, "nothing raises this level: want attempts, failed or waiting")
		}
	}
}

// levels warns of levels that nothing can raise.
func (l *linter) levels() {
	attempts := l.policy.Retry.WithDefaults().Attempts
	for i := range l.policy.Escalation {
		if x := &l.policy.Escalation[i]; x.Attempts > attempts && x.Failed == 0 && x.Waiting == 0 {
			l.warn(Warning{Code: LintIdleLevel, Path: index("escalation", i), Name: x.Name})
		}
	}
}

// undoWindows warns of rollbacks that keep windows which nobody has.
func (l *linter) undoWindows() {
	p := l.policy
	if p.Rollback.InWindows && len(p.Windows) == 0 && len(p.Freezes) == 0 && !slices.ContainsFunc(p.Rings, func(r Ring) bool { return len(r.Windows) > 0 }) {
		l.warn(Warning{Code: LintIdleUndoWindows, Path: "rollback.inWindows"})
	}
}
