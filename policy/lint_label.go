package policy

import (
	"fmt"
	"strings"
)

// labels warns of labels that a setting goes by and no device has: a word that is spelled wrongly mostly.
func (l *linter) labels() {
	if l.facts.Labels == nil {
		return
	}
	p := l.policy
	l.label("hostLabel", p.HostLabel)
	for i, key := range p.Strata {
		l.label(index("strata", i), key)
	}
	for i := range p.Budgets {
		for j, key := range p.Budgets[i].Per {
			l.label(index(join(index("budgets", i), "per"), j), key)
		}
	}
	for i := range p.Covers {
		l.label(join(index("covers", i), "of"), p.Covers[i].Of)
	}
}

func (l *linter) label(path, key string) {
	if key != "" && !strings.HasPrefix(key, "device.") && l.facts.Labels[key] == 0 {
		l.warn(Warning{Code: LintUnknownLabel, Path: path, Name: key})
	}
}

// labelText says what comes of a label that no device has.
func labelText(w *Warning) string {
	of, _, _ := strings.Cut(w.Path, "[")
	consequence := map[string]string{
		"hostLabel": "nothing is known to run on anything",
		"strata":    "nothing is divided after it",
		"budgets":   "no device belongs to a domain of this budget",
		"covers":    "there is nothing to cover",
	}[of]
	return fmt.Sprintf("no device has the label %q: %s", w.Name, consequence)
}
