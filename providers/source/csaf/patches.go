package csaf

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// A reading is the work on one document.
type reading struct {
	config   *Config
	document *document
	products
	problems []problem
	more     int

	packages   map[packageKey]bool
	fixed      map[packageKey]bool // what has a fix: ecosystem, name or source, module
	open       map[packageKey]bool // what is affected, fix or not
	sources    map[packageKey]bool // fixed source packages
	built      map[[2]string]bool  // ecosystems and versions of fixed binary packages
	restarts   map[patch.Reboot]bool
	unfixed    map[string]bool // categories of remediations that are no fix
	asked      int             // under investigation
	versioned  int             // not affected, but of one version alone
	nothing    int             // fixed without a version
	names      map[string]bool // of the advisories
	advisories []patch.Advisory
	exempt     []map[packageKey]bool // for each advisory
}

// A packageKey is a [patch.Package] that can be compared.
type packageKey struct {
	ecosystem, name, source, arch, module string
	introduced, fixed, last               version.Version
}

func (k packageKey) pack() patch.Package {
	return patch.Package{Ecosystem: k.ecosystem, Name: k.name, Source: k.source, Arch: k.arch, Module: k.module,
		Introduced: k.introduced, Fixed: k.fixed, Last: k.last}
}

// bare is k without architecture and versions.
func (k packageKey) bare() packageKey {
	return packageKey{ecosystem: k.ecosystem, name: k.name, source: k.source, module: k.module}
}

func (f *found) packageKey() packageKey {
	return packageKey{ecosystem: f.ecosystem, name: f.name, source: f.source, arch: f.arch, module: f.module}
}

func (f *found) at(text string) version.Version { return version.Version{Scheme: f.scheme, Text: text} }

// A problem is what is wrong with a part of a document.
type problem struct {
	where string
	err   error
}

// maxProblems is how many problems of a document are told one by one.
const maxProblems = 20

func (r *reading) problem(where string, err error) {
	if len(r.problems) == maxProblems {
		r.more++
		return
	}
	r.problems = append(r.problems, problem{where, err})
}

// standing is what a document says of one product and one vulnerability. The greater one is the less favourable.
type standing uint8

const (
	notAffected standing = iota + 1
	recommended
	isFixed
	investigated
	affected
)

func standingOf(group string) standing {
	switch group {
	case "known_not_affected":
		return notAffected
	case "recommended":
		return recommended
	case "first_fixed", "fixed":
		return isFixed
	case "under_investigation":
		return investigated
	case "first_affected", "known_affected", "last_affected":
		return affected
	}
	return 0
}

// begin reads the product tree.
func (r *reading) begin() {
	r.packages, r.fixed, r.open = make(map[packageKey]bool), make(map[packageKey]bool), make(map[packageKey]bool)
	r.sources, r.built = make(map[packageKey]bool), make(map[[2]string]bool)
	r.names = make(map[string]bool)
	r.restarts, r.unfixed = make(map[patch.Reboot]bool), make(map[string]bool)
	r.tree()
}

// add reads the n-th vulnerability, or bad is why it cannot be read.
func (r *reading) add(n int, v *vulnerability, bad error) {
	where := fmt.Sprintf(": vulnerability %d", n)
	if bad != nil {
		r.problem(where, bad)
		return
	}
	if v.CVE != "" {
		where += fmt.Sprintf(" (%.40s)", v.CVE)
	}
	r.vulnerability(where, v)
}

// patches returns what the document tells when all of it was read: its own patch first.
func (r *reading) patches() []patch.Patch {
	d := &r.document.Document
	main := patch.Patch{
		ID:          r.document.id(),
		Title:       d.Title,
		Severity:    source.Severity(d.Severity.Text),
		SeverityRaw: d.Severity.Text,
		Advisories:  r.advisories,
		Packages:    r.affected(),
		Reboot:      r.reboot(),
		Released:    date(d.Tracking.Initial),
		Modified:    date(d.Tracking.Current),
		Native:      r.native(),
	}
	if main.Modified.IsZero() {
		r.problem("", fmt.Errorf("current_release_date is %.40q", d.Tracking.Current))
	}
	if d.Category != "" {
		main.ClassificationRaw = []string{d.Category}
	}
	switch d.Category {
	case "csaf_security_advisory", "csaf_vex":
		main.Classification = patch.ClassSecurity
	case "csaf_withdrawn", "csaf_superseded": // of CSAF 2.1
		main.Withdrawn = main.Modified
	}
	if d.Severity.Text == "" {
		for i := range r.advisories {
			if a := &r.advisories[i]; main.SeverityRaw == "" || a.Severity > main.Severity {
				main.Severity, main.SeverityRaw = a.Severity, a.SeverityRaw
			}
		}
	}
	for i := range d.References {
		if u := d.References[i].URL; u != "" && !slices.Contains(main.References[max(0, len(main.References)-32):], u) {
			main.References = append(main.References, u)
		}
	}
	others := r.exemptions(&main)
	if r.more > 0 {
		r.problems = append(r.problems, problem{"", fmt.Errorf("and %d more faults", r.more)})
	}
	if len(main.Packages)+len(main.Unaffected) == 0 {
		return others
	}
	return append([]patch.Patch{main}, others...)
}

// exemptions puts what is free of every vulnerability into the patch of the document, and returns a patch for each
// vulnerability of which something else is free too.
func (r *reading) exemptions(main *patch.Patch) (others []patch.Patch) {
	count := make(map[packageKey]int)
	for _, free := range r.exempt {
		for k := range free {
			count[k]++
		}
	}
	everywhere := make(map[packageKey]bool)
	for k, n := range count {
		if n == len(r.advisories) {
			everywhere[k] = true
		}
	}
	main.Unaffected = packagesOf(everywhere)
	for i, free := range r.exempt {
		rest := make(map[packageKey]bool)
		for k := range free {
			if !everywhere[k] {
				rest[k] = true
			}
		}
		if len(rest) == 0 || len(r.advisories[i].CVEs) == 0 {
			continue
		}
		p := *main
		a := r.advisories[i]
		p.ID += patch.ID("#" + a.ID)
		p.Advisories = []patch.Advisory{a}
		p.Severity, p.SeverityRaw = a.Severity, a.SeverityRaw
		p.Packages, p.Reboot, p.Native = nil, patch.RebootUnknown, nil
		p.Unaffected = packagesOf(rest)
		others = append(others, p)
	}
	slices.SortFunc(others, func(a, b patch.Patch) int { return cmp.Compare(a.ID, b.ID) })
	return others
}

func packagesOf(keys map[packageKey]bool) []patch.Package {
	if len(keys) == 0 {
		return nil
	}
	sorted := slices.SortedFunc(maps.Keys(keys), func(a, b packageKey) int {
		return cmp.Or(cmp.Compare(a.ecosystem, b.ecosystem), cmp.Compare(a.name, b.name), cmp.Compare(a.source, b.source),
			cmp.Compare(a.arch, b.arch), cmp.Compare(a.module, b.module), cmp.Compare(a.fixed.Text, b.fixed.Text),
			cmp.Compare(a.introduced.Text, b.introduced.Text), cmp.Compare(a.last.Text, b.last.Text))
	})
	packages := make([]patch.Package, len(sorted))
	for i, k := range sorted {
		packages[i] = k.pack()
	}
	return packages
}

// affected returns the packages with a fix, and those without one.
func (r *reading) affected() []patch.Package {
	for k := range r.sources {
		// The binary packages of the same build are listed: they are what can be installed.
		if !r.built[[2]string{k.ecosystem, k.fixed.Text}] {
			r.packages[k] = true
		}
	}
	for k := range r.open {
		if !r.fixed[k.bare()] {
			r.packages[k] = true
		}
	}
	return packagesOf(r.packages)
}

// vulnerability adds what is said of one vulnerability.
func (r *reading) vulnerability(where string, v *vulnerability) {
	name := v.CVE
	if name == "" && len(v.IDs) > 0 {
		name = v.IDs[0].Text
	}
	if name = cmp.Or(name, v.Title); name == "" {
		name = r.document.Document.Tracking.ID
		if n := len(r.advisories); n > 0 {
			name += fmt.Sprintf(" (%d)", n+1)
		}
	}
	if r.names[name] {
		r.problem(where, fmt.Errorf("%.80s is told of twice", name))
		return
	}
	r.names[name] = true
	r.advisories = append(r.advisories, r.advisory(where, name, v))
	standings := make(map[string]standing)
	for _, group := range slices.Sorted(maps.Keys(v.Status)) {
		s := standingOf(group)
		if s == 0 {
			r.problem(where, fmt.Errorf("product_status has a group %.40q", group))
			continue
		}
		for _, id := range v.Status[group] {
			old := standings[id]
			if old != 0 && old != s && old != recommended && s != recommended {
				r.problem(where, fmt.Errorf("product %.120q contradicts itself: it is %s", id, group))
			}
			standings[id] = max(old, s)
		}
	}
	free, contrary := make(map[packageKey]bool), make(map[packageKey]bool)
	for _, id := range slices.Sorted(maps.Keys(standings)) {
		s := standings[id]
		f, err := r.identify(id, s == isFixed || s == recommended)
		if err != nil {
			r.problem(where, fmt.Errorf("product %.120q: %w", id, err))
			continue
		}
		if f.ecosystem != "" {
			r.stand(s, &f, free, contrary)
		}
	}
	for k := range free {
		if contrary[k] {
			delete(free, k)
			r.versioned++
		}
	}
	r.exempt = append(r.exempt, free)
	for i := range v.Remediations {
		r.remedy(&v.Remediations[i])
	}
}

// stand adds what is said of one package. free collects what is exempt, contrary what has another standing too.
func (r *reading) stand(s standing, f *found, free, contrary map[packageKey]bool) {
	k := f.packageKey()
	named := packageKey{ecosystem: f.ecosystem, name: f.name, source: f.source}
	if s != notAffected {
		contrary[named] = true
	}
	switch s {
	case notAffected:
		if whole := f.version == "" && f.span == "" && f.arch == ""; f.module == "" && (whole || r.config.AnyVersion) {
			free[named] = true
		} else {
			r.versioned++
		}
	case investigated:
		r.asked++
	case isFixed, recommended:
		if f.version == "" {
			r.nothing++
			return
		}
		r.fixed[k.bare()] = true
		k.fixed = f.at(f.version)
		if f.name == "" {
			r.sources[k] = true
			return
		}
		r.packages[k] = true
		r.built[[2]string{f.ecosystem, f.version}] = true
	case affected:
		switch {
		case f.version != "":
			k.introduced, k.last = f.at(f.version), f.at(f.version)
		case f.span != "":
			k = f.within(k)
		}
		r.open[k] = true
	}
}

// within puts a range of versions into k. Only those with one end are understood; any other is kept as it is, and compares
// with nothing.
func (f *found) within(k packageKey) packageKey {
	text := strings.TrimSpace(f.span)
	if vers, found := strings.CutPrefix(text, "vers:"); found {
		_, text, _ = strings.Cut(vers, "/")
	}
	end, including := strings.CutPrefix(text, "<=")
	below := false
	if !including {
		end, below = strings.CutPrefix(text, "<")
	}
	end = strings.TrimSpace(end)
	switch {
	case end == "*" && !including && !below:
	case end == "" || strings.ContainsAny(end, "|<>=!,*"), !including && !below:
		k.fixed = version.Version{Scheme: Raw, Text: f.span}
	case including:
		k.last = f.at(end)
	default:
		k.fixed = f.at(end)
	}
	return k
}

// remedy notes what a remediation says of fixes.
func (r *reading) remedy(m *remediation) {
	switch m.Category {
	case "vendor_fix":
		needed := patch.RebootUnknown
		if m.Restart != nil {
			needed = restart(m.Restart.Category)
		}
		r.restarts[needed] = true
	case "none_available", "no_fix_planned", "fix_planned", "optional_patch":
		r.unfixed[m.Category] = true
	}
}

// restart translates what must be restarted: the machine and what is larger, nothing, or something that may be a service as
// well as the system.
func restart(category string) patch.Reboot {
	switch category {
	case "machine", "system", "zone":
		return patch.RebootAlways
	case "none":
		return patch.RebootNever
	case "":
		return patch.RebootUnknown
	}
	return patch.RebootMaybe
}

// reboot returns what all fixes together need. If some need a restart and others not, the installer must tell.
func (r *reading) reboot() patch.Reboot {
	switch {
	case len(r.restarts) == 1:
		for only := range r.restarts {
			return only
		}
	case r.restarts[patch.RebootAlways], r.restarts[patch.RebootMaybe]:
		return patch.RebootMaybe
	}
	return patch.RebootUnknown
}

// advisory returns what is said of a vulnerability itself.
func (r *reading) advisory(where, name string, v *vulnerability) patch.Advisory {
	a := patch.Advisory{ID: name, Title: v.Title, Published: date(cmp.Or(v.Released, v.Disclosed))}
	if source.IsCVE(v.CVE) {
		a.CVEs = []string{v.CVE}
	}
	for i := range v.References {
		if u := v.References[i].URL; u != "" && !slices.Contains(a.References[max(0, len(a.References)-32):], u) {
			a.References = append(a.References, u)
		}
	}
	all := v.Scores
	for i := range v.Metrics {
		all = append(all, v.Metrics[i].Content)
	}
	seen := make(map[string]bool)
	for i := range all {
		for _, text := range []string{all[i].V2.Vector, all[i].V3.Vector, all[i].V4.Vector} {
			if text == "" || seen[text] {
				continue
			}
			seen[text] = true
			s, err := source.Score(text, r.document.publisher)
			if err != nil {
				r.problem(where, err)
				continue
			}
			a.Scores = append(a.Scores, s)
		}
	}
	for i := range v.Threats {
		t := &v.Threats[i]
		switch t.Category {
		case "impact":
			if s := source.Severity(t.Details); s > a.Severity {
				a.Severity, a.SeverityRaw = s, t.Details
			}
		case "exploit_status":
			if e := exploited(t.Details); e > a.Exploited {
				if a.Exploited = e; e == patch.Yes {
					a.KnownSince = date(t.Date)
				}
			}
		}
	}
	return a
}

// exploited reads what publishers write: Microsoft "Publicly Disclosed:No;Exploited:Yes;...", Red Hat the address of CISA's
// catalogue. Nothing else is understood.
func exploited(details string) patch.Tri {
	if strings.Contains(details, "cisa.gov/known-exploited-vulnerabilities") {
		return patch.Yes
	}
	for field := range strings.SplitSeq(details, ";") {
		name, value, _ := strings.Cut(field, ":")
		if strings.TrimSpace(name) == "Exploited" {
			switch strings.ToLower(strings.TrimSpace(value)) {
			case "yes":
				return patch.Yes
			case "no":
				return patch.No
			}
		}
	}
	return patch.Unknown
}

func (r *reading) native() map[string]string {
	d := &r.document.Document
	native := map[string]string{"trackingID": d.Tracking.ID, "publisher": d.Publisher.Namespace}
	for name, value := range map[string]string{"status": d.Tracking.Status, "version": d.Tracking.Version,
		"remediation": strings.Join(slices.Sorted(maps.Keys(r.unfixed)), "; ")} {
		if value != "" {
			native[name] = value
		}
	}
	for name, n := range map[string]int{"underInvestigation": r.asked, "notAffectedVersions": r.versioned, "withoutVersion": r.nothing,
		"revisions": len(d.Tracking.Revisions)} {
		if n > 0 {
			native[name] = strconv.Itoa(n)
		}
	}
	return native
}
