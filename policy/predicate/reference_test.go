package predicate_test

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy/predicate"
)

// reference evaluates the structured form as plainly as it can be said, with none of the package's own code: it gathers
// what a field holds as a list of facts and asks of each.
func reference(n predicate.Node, f predicate.Facts, adv *patch.Advisory) patch.Tri {
	switch {
	case n.All != nil:
		return least(n.All, func(a predicate.Node) patch.Tri { return reference(a, f, adv) })
	case n.Any != nil:
		return negate(least(n.Any, func(a predicate.Node) patch.Tri { return negate(reference(a, f, adv)) }))
	case n.Not != nil:
		return negate(reference(*n.Not, f, adv))
	case n.Const != nil:
		return patch.TriOf(*n.Const)
	case n.Advisory != nil:
		return eachAdvisory(f, func(a *patch.Advisory) patch.Tri { return reference(*n.Advisory, f, a) })
	case n.Field == "":
		return patch.No
	}
	if strings.HasPrefix(n.Field, "advisory.") && adv == nil {
		if n.Op == "exists" && f.Patch != nil && len(f.Patch.Advisories) == 0 {
			return patch.No
		}
		return eachAdvisory(f, func(a *patch.Advisory) patch.Tri { return reference(n, f, a) })
	}
	return about(n, f, adv)
}

// least is "and": yes is more than unknown, and that is more than no.
func least(nodes []predicate.Node, eval func(predicate.Node) patch.Tri) patch.Tri {
	rank := func(t patch.Tri) int { return slices.Index([]patch.Tri{patch.No, patch.Unknown, patch.Yes}, t) }
	out := patch.Yes
	for _, n := range nodes {
		if t := eval(n); rank(t) < rank(out) {
			out = t
		}
	}
	return out
}

func negate(t patch.Tri) patch.Tri {
	return map[patch.Tri]patch.Tri{patch.Yes: patch.No, patch.No: patch.Yes}[t]
}

func eachAdvisory(f predicate.Facts, eval func(*patch.Advisory) patch.Tri) patch.Tri {
	if f.Patch == nil || len(f.Patch.Advisories) == 0 {
		return patch.Unknown
	}
	var answers []patch.Tri
	for i := range f.Patch.Advisories {
		answers = append(answers, eval(&f.Patch.Advisories[i]))
	}
	switch {
	case slices.Contains(answers, patch.Yes):
		return patch.Yes
	case slices.Contains(answers, patch.Unknown):
		return patch.Unknown
	}
	return patch.No
}

// held is what a field holds.
type held struct {
	texts    []string
	closed   bool // there are no other elements
	order    []string
	number   float64
	truth    patch.Tri
	since    time.Time
	versions []version.Version
	absent   bool // the thing that it belongs to is not there
}

// kinds are those of the fields, as they are told; "" for a label, which is a text.
var kinds = func() map[string]string {
	all := map[string]string{}
	for _, f := range predicate.Fields() {
		all[f.Name] = f.Kind
	}
	return all
}()

func about(n predicate.Node, f predicate.Facts, adv *patch.Advisory) patch.Tri {
	kind := kinds[n.Field]
	h := hold(n.Field, f, adv)
	if h.absent {
		return patch.Unknown
	}
	switch kind {
	case "truth":
		if n.Op == "exists" {
			return patch.TriOf(h.truth != patch.Unknown)
		}
		return h.truth
	case "number", "size":
		if n.Op == "exists" {
			return patch.TriOf(h.number != 0)
		}
		if h.number == 0 {
			return patch.Unknown
		}
		want := sizeOf(n.Values[0])
		return ordered(n.Op, h.number < want, h.number == want)
	case "age":
		if n.Op == "exists" {
			return patch.TriOf(!h.since.IsZero())
		}
		if h.since.IsZero() || f.Now.IsZero() {
			return patch.Unknown
		}
		at := h.since.Add(ageOf(n.Values[0]))
		return ordered(n.Op, f.Now.Before(at), f.Now.Equal(at))
	case "level":
		if n.Op == "exists" {
			return patch.TriOf(len(h.texts) > 0)
		}
		if len(h.texts) == 0 {
			return patch.Unknown
		}
		if n.Op == "in" {
			return patch.TriOf(slices.Contains(n.Values, h.texts[0]))
		}
		have, want := slices.Index(h.order, h.texts[0]), slices.Index(h.order, n.Values[0])
		return ordered(n.Op, have < want, have == want)
	case "release":
		return releaseRef(n, h)
	case "version":
		if n.Op == "exists" {
			return patch.TriOf(len(h.versions) > 0)
		}
		out := patch.Unknown
		if h.closed && len(h.versions) > 0 {
			out = patch.No
		}
		for _, v := range h.versions {
			c, err := version.Compare(v, version.Version{Scheme: v.Scheme, Text: n.Values[0]})
			if err != nil {
				out = patch.Unknown
			}
			if err == nil && ordered(n.Op, c < 0, c == 0) == patch.Yes {
				return patch.Yes
			}
		}
		return out
	}
	return textsRef(kind, n, h)
}

func textsRef(kind string, n predicate.Node, h held) patch.Tri {
	if n.Op == "exists" {
		return patch.TriOf(len(h.texts) > 0)
	}
	fits := func(have, want string) bool {
		switch {
		case n.Op == "prefix":
			return strings.HasPrefix(have, want)
		case n.Op == "glob": // the patterns of these tests mean the same to path.Match, if there are no slashes
			ok, err := path.Match(strings.ReplaceAll(want, "/", "|"), strings.ReplaceAll(have, "/", "|"))
			return ok && err == nil
		case kind == "tenant":
			return have == want || want != "" && strings.HasPrefix(have, want+"/")
		}
		return have == want
	}
	one := func(want string) patch.Tri {
		if slices.ContainsFunc(h.texts, func(have string) bool { return fits(have, want) }) {
			return patch.Yes
		}
		if h.closed {
			return patch.No
		}
		return patch.Unknown
	}
	any, all := patch.No, patch.Yes
	for _, want := range n.Values {
		t := one(want)
		if t == patch.Yes || t == patch.Unknown && any == patch.No {
			any = t
		}
		if t == patch.No || t == patch.Unknown && all == patch.Yes {
			all = t
		}
	}
	switch n.Op {
	case "!=", "has none of":
		return negate(any)
	case "has all of":
		return all
	}
	return any
}

func ordered(op string, less, equal bool) patch.Tri {
	switch op {
	case "<":
		return patch.TriOf(less)
	case "<=":
		return patch.TriOf(less || equal)
	case ">":
		return patch.TriOf(!less && !equal)
	case ">=":
		return patch.TriOf(!less)
	case "!=":
		return patch.TriOf(!equal)
	}
	return patch.TriOf(equal)
}

func releaseRef(n predicate.Node, h held) patch.Tri {
	if n.Op == "exists" {
		return patch.TriOf(len(h.texts) > 0)
	}
	if len(h.texts) == 0 {
		return patch.Unknown
	}
	have := strings.Split(h.texts[0], ".")
	var answers []patch.Tri
	for _, v := range n.Values {
		want := strings.Split(v, ".")
		answer := patch.Tri(255)
		for i := 0; i < len(want) && answer == 255; i++ {
			if i == len(have) {
				answer = patch.Unknown
				break
			}
			a, errA := strconv.Atoi(have[i])
			b, errB := strconv.Atoi(want[i])
			switch {
			case have[i] == want[i] || errA == nil && errB == nil && a == b:
			case errA == nil && errB == nil:
				answer = ordered(n.Op, a < b, false)
			case n.Op == "=" || n.Op == "in":
				answer = patch.No
			case n.Op == "!=":
				answer = patch.Yes
			default:
				answer = patch.Unknown
			}
		}
		if answer == 255 {
			answer = ordered(n.Op, false, true)
		}
		answers = append(answers, answer)
	}
	switch {
	case slices.Contains(answers, patch.Yes):
		return patch.Yes
	case slices.Contains(answers, patch.Unknown):
		return patch.Unknown
	}
	return patch.No
}

func sizeOf(text string) float64 {
	for _, u := range []struct {
		name string
		size float64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}} {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			n, _ := strconv.ParseFloat(number, 64)
			return n * u.size
		}
	}
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

func ageOf(text string) time.Duration {
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		days, rest = "0", text
	}
	n, _ := strconv.Atoi(days)
	d, _ := time.ParseDuration(rest)
	return d + time.Duration(n)*24*time.Hour
}

func (h *held) add(v version.Version) {
	if v.IsZero() {
		h.closed = false
		return
	}
	h.versions = append(h.versions, v)
}

func known(s ...string) held {
	s = slices.DeleteFunc(slices.Clone(s), func(s string) bool { return s == "" })
	return held{texts: s, closed: len(s) > 0}
}

func strs[S ~string](all []S) (out []string) {
	for _, s := range all {
		out = append(out, string(s))
	}
	return out
}

func wordOf(v interface{ String() string }, unknown string) held {
	if v.String() == unknown {
		return held{}
	}
	return held{texts: []string{v.String()}, closed: true, order: []string{"low", "moderate", "important", "critical"}}
}

func hold(name string, f predicate.Facts, adv *patch.Advisory) held {
	x, d, m := f.Patch, f.Device, f.Finding
	switch {
	case strings.HasPrefix(name, "label."):
		if d == nil {
			return held{absent: true}
		}
		v, ok := d.Labels[strings.TrimPrefix(name, "label.")]
		if !ok {
			return held{}
		}
		return held{texts: []string{v}, closed: true}
	case strings.HasPrefix(name, "device."):
		if d == nil {
			return held{absent: true}
		}
		return holdDevice(name, d)
	case strings.HasPrefix(name, "finding."):
		if m == nil {
			return held{absent: true}
		}
		return holdFinding(name, m)
	case strings.HasPrefix(name, "advisory."):
		return holdAdvisory(name, adv)
	case x == nil:
		return held{absent: true}
	}
	var cves, names, sources, ecosystems, origins []string
	for _, a := range x.Advisories {
		cves = append(cves, a.CVEs...)
	}
	for _, p := range x.Packages {
		names, ecosystems, origins = append(names, p.Name), append(ecosystems, p.Ecosystem), append(origins, p.Origins...)
		if p.Source == "" {
			p.Source = p.Name
		}
		sources = append(sources, p.Source)
	}
	switch name {
	case "id":
		return known(append(strs(x.Aliases), string(x.ID))...)
	case "source":
		return known(x.ID.Source())
	case "title":
		return known(x.Title)
	case "classification":
		return wordOf(x.Classification, "unknown")
	case "severity":
		return wordOf(x.Severity, "unrated")
	case "worst":
		return wordOf(x.Worst(), "unrated")
	case "contested":
		return held{truth: patch.TriOf(x.Contested)}
	case "withdrawn":
		return held{truth: patch.TriOf(x.Withdrawn != time.Time{})}
	case "exploited":
		return held{truth: x.Exploited()}
	case "epss":
		return held{number: x.EPSS()}
	case "cvss":
		return held{number: x.Base()}
	case "cve":
		return known(cves...)
	case "package":
		return known(names...)
	case "package.source":
		return known(sources...)
	case "package.ecosystem":
		return known(ecosystems...)
	case "package.origin":
		return known(origins...)
	case "supersedes":
		return known(strs(x.Supersedes)...)
	case "requires":
		return known(strs(x.Requires)...)
	case "platform.os":
		return known(x.Platform.OS)
	case "platform.version":
		return known(x.Platform.Version)
	case "platform.arch":
		return known(x.Platform.Arch)
	case "reboot":
		return wordOf(x.Reboot, "unknown")
	case "reversal":
		return wordOf(x.Reversal, "unknown")
	case "size":
		return held{number: float64(x.Size)}
	case "age":
		return held{since: x.Released}
	case "age.modified":
		return held{since: x.Modified}
	}
	panic("the reference does not know " + name)
}

func holdAdvisory(name string, a *patch.Advisory) held {
	switch name {
	case "advisory.id":
		return known(a.ID)
	case "advisory.title":
		return known(a.Title)
	case "advisory.cve":
		return known(a.CVEs...)
	case "advisory.severity":
		return wordOf(a.Severity, "unrated")
	case "advisory.exploited":
		return held{truth: a.Exploited}
	case "advisory.epss":
		return held{number: a.EPSS}
	case "advisory.cvss":
		return held{number: (&patch.Patch{Advisories: []patch.Advisory{*a}}).Base()}
	case "advisory.age":
		return held{since: a.Published}
	case "advisory.age.exploited":
		return held{since: a.KnownSince}
	}
	panic("the reference does not know " + name)
}

func holdDevice(name string, d *inventory.Device) held {
	switch name {
	case "device.id":
		return known(string(d.ID))
	case "device.name":
		if d.Name == "" {
			return known(string(d.ID))
		}
		return known(d.Name)
	case "device.tenant":
		return held{texts: []string{string(d.Tenant)}, closed: true}
	case "device.os":
		return known(d.Platform.OS)
	case "device.version":
		return known(d.Platform.Version)
	case "device.arch":
		return known(d.Platform.Arch)
	case "device.zone":
		return known(d.Zone)
	case "device.exposure":
		return wordOf(d.Exposure, "unknown")
	case "device.pendingReboot":
		return held{truth: d.PendingReboot}
	case "device.age.pending":
		return held{since: d.PendingSince}
	case "device.age.seen":
		return held{since: d.LastSeen}
	case "device.software":
		h := held{closed: len(d.Coverage) > 0}
		for _, s := range d.Software {
			h.texts = append(h.texts, s.Name)
		}
		for _, c := range d.Coverage {
			h.closed = h.closed && c.Status == inventory.Complete
		}
		return h
	case "device.manager":
		var all []string
		for _, c := range d.Coverage {
			all = append(all, c.Manager)
		}
		return known(all...)
	case "device.updater":
		return held{texts: d.Updaters, closed: d.Updaters != nil}
	case "device.label":
		h := held{closed: true}
		for key := range d.Labels {
			h.texts = append(h.texts, key)
		}
		return h
	}
	panic("the reference does not know " + name)
}

func holdFinding(name string, m *inventory.Finding) held {
	var names, managers, ecosystems []string
	installed, fixed := held{closed: true}, held{closed: true}
	some := patch.Unknown
	for _, p := range m.Packages {
		names, managers, ecosystems = append(names, p.Name), append(managers, p.Manager), append(ecosystems, p.Ecosystem)
		installed.add(p.Installed)
		fixed.add(p.Fixed)
		if p.Held {
			some = patch.Yes
		} else if some == patch.Unknown {
			some = patch.No
		}
	}
	switch name {
	case "finding.evidence":
		return wordOf(m.Evidence, "unknown")
	case "finding.superseded":
		return held{truth: patch.TriOf(m.SupersededBy != "")}
	case "finding.held":
		return held{truth: some}
	case "finding.package":
		return known(names...)
	case "finding.manager":
		return known(managers...)
	case "finding.ecosystem":
		return known(ecosystems...)
	case "finding.installed":
		return installed
	case "finding.fixed":
		return fixed
	}
	panic("the reference does not know " + name)
}
