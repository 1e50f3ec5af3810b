package sofa

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// A release is a release as it stands in a feed.
type release struct {
	Name      string   `json:"UpdateName"`
	Product   string   `json:"ProductName"`
	Version   string   `json:"ProductVersion"`
	Build     string   `json:"Build"`
	Builds    []string `json:"AllBuilds"`
	Date      string   `json:"ReleaseDate"`
	Expires   string   `json:"ExpirationDate"`
	Type      string   `json:"ReleaseType"`
	Article   string   `json:"SecurityInfo"`
	Devices   []string `json:"SupportedDevices"`
	Scope     string   `json:"DeviceScope"`
	CVEs      holes    `json:"CVEs"`
	Exploited []string `json:"ActivelyExploitedCVEs"`
	Then      struct {
		Version string `json:"ProductVersion"`
	} `json:"SupersededBy"`
}

// A response is a rapid response as it stands in a feed. What it shares with a release has the same name there, but for these.
type response struct {
	release
	Version string `json:"Version"`
	Extra   string `json:"VersionExtra"`
	Posted  string `json:"PostingDate"`
	After   string `json:"PrerequisiteBuild"`
}

func (r *response) item() (item, error) {
	r.release.Version, r.Date, r.Type = r.Version, r.Posted, "BSI"
	i, err := r.release.item()
	if err == nil && r.After != "" {
		i.patch.Native["prerequisiteBuild"] = r.After
	}
	if err == nil && !i.rapid {
		return item{}, fmt.Errorf("%q is no rapid response", abbreviate(r.Version))
	}
	return i, err
}

// Holes are the CVEs of a release, and what the feed says of each.
type holes map[string]hole

type hole struct {
	Exploited bool   `json:"ActivelyExploited"`
	Severity  string `json:"Severity"`
}

// UnmarshalJSON reads the three forms: a list of names, names with a truth value, names with an object.
func (h *holes) UnmarshalJSON(text []byte) error {
	*h = make(holes)
	var names []string
	if json.Unmarshal(text, &names) == nil {
		for _, name := range names {
			(*h)[name] = hole{}
		}
		return nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	for name, raw := range values {
		var of hole
		if json.Unmarshal(raw, &of.Exploited) != nil {
			if err := json.Unmarshal(raw, &of); err != nil {
				return fmt.Errorf("%s: %w", abbreviate(name), err)
			}
		}
		(*h)[name] = of
	}
	return nil
}

// system returns the name of an operating system: of the two that share a release the first.
func system(product string) (string, error) {
	name, _, _ := strings.Cut(product, " and ")
	if name == "iPadOS" {
		name = "iOS"
	}
	if len(name) < 3 || len(name) > 16 || !strings.HasSuffix(name, "OS") || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", fmt.Errorf("field ProductName is %q", abbreviate(product))
	}
	return name, nil
}

// item makes a patch of a release.
func (r *release) item() (item, error) {
	name, err := system(r.Product)
	if err != nil {
		return item{}, err
	}
	n, plain, extra, err := parse(r.Version)
	if err != nil {
		return item{}, err
	}
	major := strconv.Itoa(n[0])
	i := item{number: n, rapid: extra != "", then: r.Then.Version}
	p := &i.patch
	*p = patch.Patch{
		ID:       patch.ID("sofa:" + name + "/" + plain + extra),
		Title:    r.Name,
		Platform: patch.Platform{OS: strings.ToLower(name), Version: major},
		Native:   make(map[string]string),
	}
	if p.Title == "" {
		p.Title = name + " " + plain + extra
	}
	if r.Type != "" {
		p.ClassificationRaw = []string{r.Type}
	}
	if p.Released, err = day(r.Date); err != nil {
		return item{}, fmt.Errorf("%s %s: %w", name, r.Version, err)
	}
	if !i.rapid {
		p.Reboot, p.Reversal = patch.RebootAlways, patch.ReversalNone
		p.Packages = []patch.Package{{
			Ecosystem: name, Name: name,
			Introduced: version.Version{Scheme: version.MacOS, Text: major},
			Fixed:      version.Version{Scheme: version.MacOS, Text: plain},
		}}
	}
	if err := r.advise(p); err != nil {
		return item{}, fmt.Errorf("%s %s: %w", name, r.Version, err)
	}
	switch {
	case n.compare(number{n[0]}) == 0 && !i.rapid:
		p.Classification = patch.ClassFeature
	case len(p.Advisories) > 0:
		p.Classification = patch.ClassSecurity
	}
	builds := r.Builds
	if len(builds) == 0 && r.Build != "" {
		builds = []string{r.Build}
	}
	for name, text := range map[string]string{
		"build": r.Build, "builds": strings.Join(builds, " "), "expires": r.Expires, "deviceScope": r.Scope,
		"supportedDevices": strings.Join(r.Devices, " "),
	} {
		if text != "" {
			p.Native[name] = text
		}
	}
	return i, nil
}

// advise adds what explains the patch.
func (r *release) advise(p *patch.Patch) error {
	if r.Article != "" {
		p.References = []string{r.Article}
	}
	for _, name := range r.Exploited {
		of := r.CVEs[name]
		of.Exploited = true
		if r.CVEs == nil {
			r.CVEs = make(holes)
		}
		r.CVEs[name] = of
	}
	if len(r.CVEs) == 0 {
		return nil
	}
	a := patch.Advisory{ID: string(p.ID), Title: p.Title, CVEs: slices.Sorted(maps.Keys(r.CVEs)), Published: p.Released, References: p.References}
	if r.Article != "" {
		a.ID = path.Base(r.Article)
	}
	for _, name := range a.CVEs {
		if !source.IsCVE(name) {
			return fmt.Errorf("no CVE is called %q", abbreviate(name))
		}
		of := r.CVEs[name]
		if severity := source.Severity(of.Severity); severity > a.Severity {
			a.Severity, a.SeverityRaw = severity, of.Severity
		}
		if of.Exploited {
			a.Exploited, a.KnownSince = patch.Yes, p.Released
		}
	}
	p.Advisories = []patch.Advisory{a}
	return nil
}

// day reads a date, with a time or without. None is no fault.
func day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", abbreviate(text))
}
