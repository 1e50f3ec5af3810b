package osv

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
	"unique"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// most is how many packages a patch may have. Real ones have up to 25,000.
const most = 100_000

// patch makes a patch of a record.
func (s *Source) patch(r *record) (patch.Patch, error) {
	p := patch.Patch{
		ID: patch.ID("osv:" + r.ID), Title: r.title(), Native: r.native(),
		Released: r.published, Modified: r.modified, Withdrawn: r.withdrawn,
	}
	b := builder{source: s, module: r.module()}
	for i := range r.Affected {
		if err := b.add(&r.Affected[i]); err != nil {
			return patch.Patch{}, fmt.Errorf("%s: affected[%d]: %w", r.ID, i, err)
		}
	}
	p.Packages, p.Platform = b.packages, b.platform

	a := patch.Advisory{ID: r.ID, Title: p.Title, CVEs: r.cves(), Published: p.Released}
	unreadable := r.rate(&a)
	if len(unreadable) > 0 {
		p.Native["severity"] = strings.Join(unreadable, " ")
	}
	for _, ref := range r.References {
		if ref.URL != "" {
			a.References = append(a.References, ref.URL)
		}
	}
	p.Severity, p.SeverityRaw = a.Severity, a.SeverityRaw
	p.Classification = patch.ClassSecurity
	if prefix, kind := kindOfAdvisory(r.ID); kind != patch.ClassUnknown {
		p.Classification, p.ClassificationRaw = kind, []string{prefix}
		p.Contested = kind != patch.ClassSecurity && len(a.CVEs) > 0
	}
	p.Advisories = []patch.Advisory{a}
	return p, nil
}

// title returns the summary, or else the beginning of the first line of the details.
func (r *record) title() string {
	title := strings.TrimSpace(r.Summary)
	if title != "" {
		return title
	}
	title, _, _ = strings.Cut(strings.TrimSpace(r.Details), "\n")
	const length = 120
	if len(title) <= length {
		return strings.TrimSpace(title)
	}
	cut := length
	for !utf8.RuneStart(title[cut]) {
		cut--
	}
	return strings.TrimSpace(title[:cut]) + "..."
}

// A builder gathers the packages of a record.
type builder struct {
	source   *Source
	module   string
	packages []patch.Package
	platform patch.Platform
	begun    bool
}

// add adds the entries for one affected package.
func (b *builder) add(a *affected) error {
	if a.Package.Name == "" && a.Package.Ecosystem == "" {
		return nil // a repository
	}
	if a.Package.Name == "" || a.Package.Ecosystem == "" {
		return fmt.Errorf("package %q of the ecosystem %q", a.Package.Name, a.Package.Ecosystem)
	}
	e := ecosystemOf(a.Package.Ecosystem)
	found, err := a.intervals(&e)
	if err != nil {
		return fmt.Errorf("package %s: %w", a.Package.Name, err)
	}
	if at := platform(a.Package.Ecosystem); !b.begun {
		b.platform, b.begun = at, true
	} else {
		b.platform = agree(b.platform, at)
	}
	of := patch.Package{Ecosystem: one(b.source.ecosystem(a.Package.Ecosystem)), Name: one(a.Package.Name)}
	if e.sources {
		of.Name, of.Source = "", of.Name
	}
	for i := range found {
		b.packages = append(b.packages, b.entry(of, &found[i], &e))
	}
	if e.sources && len(found) == 1 && found[0].introduced == "" && found[0].fixed != "" {
		from := len(b.packages)
		for _, built := range a.ecosystem.binaries() {
			if built.name == "" || built.version == "" {
				continue
			}
			p := of
			p.Name, p.Fixed = one(built.name), version.Version{Scheme: found[0].scheme, Text: one(built.version)}
			b.packages = append(b.packages, p)
		}
		slices.SortFunc(b.packages[from:], func(x, y patch.Package) int {
			return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Fixed.Text, y.Fixed.Text))
		})
	}
	if len(b.packages) > most {
		return fmt.Errorf("more than %d packages: %w", most, source.ErrTooLarge)
	}
	return nil
}

// ecosystem returns how devices call an ecosystem.
func (s *Source) ecosystem(written string) string {
	if s.config.Ecosystem == nil {
		return written
	}
	return cmp.Or(s.config.Ecosystem(written), written)
}

// one returns the one string for all that are equal to s: names, ecosystems and versions occur thousands of times.
func one(s string) string { return unique.Make(s).Value() }

// entry returns the package of with the versions of an interval.
func (b *builder) entry(of patch.Package, v *interval, e *ecosystem) patch.Package {
	of.Introduced, of.Fixed, of.Last = v.version(v.introduced), v.version(v.fixed), v.version(v.last)
	if _, built := cutModule(v.fixed); built && e.modular {
		of.Module = b.module
	}
	return of
}

func (v *interval) version(text string) version.Version {
	if text == "" {
		return version.Version{}
	}
	return version.Version{Scheme: v.scheme, Text: one(text)}
}

// cutModule returns what stands before the part of an RPM package's release that tells that it was built for a module, and
// whether there is one: "0.10.1-2" of "0.10.1-2.module+el8.4.0+9657+a4b6a102".
func cutModule(text string) (string, bool) {
	before, after, found := strings.Cut(text, ".module")
	return before, found && after != "" && (after[0] == '+' || after[0] == '_')
}

// module returns the module stream that the packages of a record belong to: the only one that the summary names ("Important:
// nodejs:18 security update"; a colon that is followed by a blank names none). A package of one stream is fixed in one version,
// though there may be several builds of it: if there are several versions, the stream is "".
func (r *record) module() (stream string) {
	for word := range strings.FieldsSeq(r.Summary) {
		word = strings.TrimRight(word, ",;.")
		name, version, found := strings.Cut(word, ":")
		switch {
		case !found || !isStream(name) || !isStream(version):
		case stream != "" && stream != word:
			return ""
		default:
			stream = word
		}
	}
	if stream == "" {
		return ""
	}
	type key struct{ ecosystem, name string }
	fixed := make(map[key]string)
	for i := range r.Affected {
		a := &r.Affected[i]
		for _, s := range a.Ranges {
			for _, e := range s.Events {
				before, built := cutModule(e.Fixed)
				if !built {
					continue
				}
				k := key{a.Package.Ecosystem, a.Package.Name}
				if other, found := fixed[k]; found && other != before {
					return ""
				}
				fixed[k] = before
			}
		}
	}
	return stream
}

func isStream(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("-._+", rune(c)) {
			return false
		}
	}
	return s != ""
}

// cves returns the names of the CVEs that a record is about.
func (r *record) cves() (all []string) {
	seen := make(map[string]bool)
	add := func(name string) {
		if source.IsCVE(name) && !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	own := r.ID[max(strings.Index(r.ID, "CVE-"), 0):] // UBUNTU-CVE-2022-24823
	add(own)
	for _, list := range [][]string{r.Aliases, r.Upstream} {
		for _, name := range list {
			add(name)
		}
	}
	if !source.IsCVE(own) && r.isDistribution() {
		for _, name := range r.Related {
			add(name)
		}
	}
	return all
}

// rate fills in what the record says about how bad it is, and returns what of that cannot be read.
func (r *record) rate(a *patch.Advisory) (unreadable []string) {
	var words []string
	seen := make(map[string]bool)
	read := func(list []severity) {
		for _, s := range list {
			if !strings.HasPrefix(s.Type, "CVSS_") {
				words = append(words, s.Score)
				continue
			}
			if seen[s.Score] {
				continue
			}
			seen[s.Score] = true
			if score, err := source.Score(s.Score, "osv"); err != nil {
				unreadable = append(unreadable, s.Type+":"+s.Score)
			} else {
				a.Scores = append(a.Scores, score)
			}
		}
	}
	read(r.Severity)
	words = append(words, specifics(r.DatabaseSpecific).Severity)
	rated := false
	for i := range r.Affected {
		at := &r.Affected[i]
		read(at.Severity)
		words = append(words, at.ecosystem.Priority, at.ecosystem.Urgency)
		rated = rated || ecosystemOf(at.Package.Ecosystem).rated
	}
	if word, _, found := strings.Cut(r.Summary, ": "); found && rated && (word == "None" || source.Severity(word) != patch.SeverityUnrated) {
		words = append(words, word)
	}
	for _, word := range words {
		if s := source.Severity(word); s > a.Severity || a.SeverityRaw == "" {
			a.Severity, a.SeverityRaw = s, word
		}
	}
	if a.Severity == patch.SeverityUnrated {
		for _, s := range a.Scores {
			if s.Version != "2.0" {
				a.Severity = max(a.Severity, source.SeverityOfScore(s.Base))
			}
		}
	}
	return unreadable
}

// native returns the fields that nothing decides by: names other than CVEs as words, what the database adds as JSON.
func (r *record) native() map[string]string {
	native := make(map[string]string)
	set := func(name string, words []string) {
		slices.Sort(words)
		if words = slices.Compact(words); len(words) > 0 {
			native[name] = strings.Join(words, " ")
		}
	}
	other := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), source.IsCVE)
	}
	set("aliases", other(r.Aliases))
	set("upstream", other(r.Upstream))
	set("related", other(r.Related))
	var purls, availability, informational []string
	for i := range r.Affected {
		a := &r.Affected[i]
		if a.Package.PURL != "" {
			purls = append(purls, a.Package.PURL)
		}
		if a.ecosystem.Availability != "" {
			availability = append(availability, a.ecosystem.Availability)
		}
		if a.database.Informational != "" {
			informational = append(informational, a.database.Informational)
		}
	}
	set("purls", purls)
	set("availability", availability)
	set("informational", informational)
	var compact bytes.Buffer
	if fields := r.DatabaseSpecific; len(fields) > 0 && json.Compact(&compact, fields) == nil && compact.String() != "null" {
		native["databaseSpecific"] = compact.String()
	}
	return native
}
