package tracker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// patches yields what was read.
func (l *listing) patches(ctx context.Context) {
	for _, r := range l.releases {
		for _, name := range slices.Sorted(maps.Keys(r.holes)) {
			if err := ctx.Err(); err != nil {
				l.yield(patch.Patch{}, err)
				return
			}
			if !l.yield(r.patch(name, r.holes[name]), nil) {
				return
			}
		}
	}
}

// patch returns the patch for one hole.
func (r *release) patch(name string, h *hole) patch.Patch {
	p := patch.Patch{
		ID:             patch.ID("tracker:" + r.Codename + "/" + name),
		Platform:       patch.Platform{OS: "debian", Version: r.Version},
		Classification: patch.ClassSecurity,
		References:     []string{"https://security-tracker.debian.org/tracker/" + name},
		Native:         make(map[string]string),
	}
	slices.SortFunc(h.stands, func(a, b stand) int { return strings.Compare(a.source, b.source) })
	var sources, words []string
	for _, s := range h.stands {
		sources = append(sources, s.source)
		of := patch.Package{Ecosystem: "Debian:" + r.Version, Source: s.source}
		if s.unaffected {
			p.Unaffected = append(p.Unaffected, of)
			continue
		}
		if s.fixed != "" {
			of.Fixed = version.Version{Scheme: version.Deb, Text: s.fixed}
		}
		p.Packages = append(p.Packages, of)
		p.Severity = max(p.Severity, severity(s.urgency))
		if s.urgency != "" && !slices.Contains(words, s.urgency) {
			words = append(words, s.urgency)
		}
		for key, value := range map[string]string{"nodsa:": s.nodsa, "nodsa_reason:": s.nodsaReason} {
			if value != "" {
				p.Native[key+s.source] = value
			}
		}
	}
	slices.Sort(words)
	p.SeverityRaw = strings.Join(words, ", ")
	p.Title = name + " in " + strings.Join(sources, ", ")
	if h.scope != "" {
		p.Native["scope"] = h.scope
	}
	if len(p.Native) == 0 {
		p.Native = nil
	}
	slices.Sort(h.bugs)
	for _, bug := range h.bugs {
		p.References = append(p.References, fmt.Sprintf("https://bugs.debian.org/%d", bug))
	}
	a := patch.Advisory{ID: name, Title: h.description, Severity: p.Severity, SeverityRaw: p.SeverityRaw}
	if strings.HasPrefix(name, "CVE-") {
		a.CVEs = []string{name}
	}
	p.Advisories = []patch.Advisory{a}
	return p
}

// severity translates an urgency. Asterisks say that it was taken over from NVD.
func severity(urgency string) patch.Severity { return source.Severity(strings.TrimRight(urgency, "*")) }

// short returns the beginning of a description, up to 200 bytes.
func short(text string) string {
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= most {
		return text
	}
	end := most - len("...")
	if i := strings.LastIndexByte(text[:end+1], ' '); i > most/2 {
		end = i
	}
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}
