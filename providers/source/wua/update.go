package wua

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// An Update is what a search tells of one update. What it does not tell is the zero value.
type Update struct {
	UpdateID        string // GUID, in lower case
	RevisionNumber  int64
	Title           string
	KBs             []string // numbers, without "KB"
	CVEs            []string
	Bulletins       []string // "MS16-023"
	MsrcSeverity    string
	Categories      []Category
	Type            int64        // 1 software, 2 driver
	Reboot          patch.Reboot // of InstallationBehavior.RebootBehavior
	MaxDownloadSize int64        // bytes
	Changed         time.Time    // LastDeploymentChangeTime
	MoreInfoURLs    []string
	SupersededIDs   []string // UpdateIDs, in lower case
	IsInstalled     patch.Tri
	IsUninstallable patch.Tri
	BrowseOnly      patch.Tri // it is an optional update

	Unreadable map[string]string // properties that could not be read, and why
	Other      map[string]string // all other properties: JSON as it is written, texts without quotes
}

// A Category is a classification, a product or a company.
type Category struct {
	ID   string `json:"CategoryID"` // GUID
	Name string // in the language of the device
	Type string // "UpdateClassification", "Product"
}

// ID returns the patch of u.
func (u *Update) ID() patch.ID { return patch.ID("wua:" + u.UpdateID) }

// parseUpdate reads an update property by property. One that has an unexpected shape is noted; the error is for an update
// without UpdateID.
func parseUpdate(raw json.RawMessage) (Update, error) {
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(raw, &properties); err != nil {
		return Update{}, err
	}
	u := Update{Unreadable: make(map[string]string), Other: make(map[string]string)}
	identity := take[map[string]json.RawMessage](&u, properties, "Identity")
	id := take[string](&u, identity, "UpdateID")
	var ok bool
	if u.UpdateID, ok = guid(id); !ok {
		return Update{}, fmt.Errorf("UpdateID %.60q is no GUID", id)
	}
	u.RevisionNumber = int64(take[flexInt](&u, identity, "RevisionNumber"))
	u.Title = take[string](&u, properties, "Title")
	u.MsrcSeverity = strings.TrimSpace(take[string](&u, properties, "MsrcSeverity"))
	u.KBs = u.list(properties, "KBArticleIDs", kbNumber)
	u.CVEs = u.list(properties, "CveIDs", cveName)
	u.Bulletins = u.list(properties, "SecurityBulletinIDs", word)
	u.MoreInfoURLs = u.list(properties, "MoreInfoUrls", word)
	u.SupersededIDs = u.list(properties, "SupersededUpdateIDs", guid)
	u.Categories = take[flexList[Category]](&u, properties, "Categories")
	u.Type = int64(take[flexInt](&u, properties, "Type"))
	u.MaxDownloadSize = max(0, int64(take[flexInt](&u, properties, "MaxDownloadSize")))
	u.Changed = time.Time(take[flexTime](&u, properties, "LastDeploymentChangeTime"))
	u.IsInstalled = take[*flexBool](&u, properties, "IsInstalled").tri()
	u.IsUninstallable = take[*flexBool](&u, properties, "IsUninstallable").tri()
	u.BrowseOnly = take[*flexBool](&u, properties, "BrowseOnly").tri()
	behavior := take[map[string]json.RawMessage](&u, properties, "InstallationBehavior")
	if n := take[*flexInt](&u, behavior, "RebootBehavior"); n != nil {
		switch *n {
		case 0:
			u.Reboot = patch.RebootNever
		case 1:
			u.Reboot = patch.RebootAlways
		case 2:
			u.Reboot = patch.RebootMaybe
		default:
			u.Unreadable["RebootBehavior"] = fmt.Sprint("it is ", *n)
		}
	}
	for name, why := range take[map[string]json.RawMessage](&u, properties, "Errors") {
		u.Unreadable[name] = plain(why)
	}
	for name, value := range behavior {
		u.Other["InstallationBehavior."+name] = plain(value)
	}
	for name, value := range properties {
		u.Other[name] = plain(value)
	}
	return u, nil
}

// take takes a property out of the others. One of another shape is noted and zero; one that is not there, or null, is zero.
func take[T any](u *Update, properties map[string]json.RawMessage, name string) T {
	var value, none T
	raw, found := properties[name]
	if !found {
		return none
	}
	delete(properties, name)
	if err := json.Unmarshal(raw, &value); err != nil {
		u.Unreadable[name] = err.Error()
		return none
	}
	return value
}

// list takes a collection of texts. Those that read does not take for what they should be are noted and left out.
func (u *Update) list(properties map[string]json.RawMessage, name string, read func(string) (string, bool)) []string {
	var all []string
	for _, text := range take[flexList[string]](u, properties, name) {
		value, ok := read(text)
		switch {
		case !ok:
			u.Unreadable[name] = fmt.Sprintf("%.120q among them", text)
		case !slices.Contains(all[max(0, len(all)-64):], value):
			all = append(all, value)
		}
	}
	return all
}

// Patch returns u as a patch.
//
// Classification is that of the category by its GUID, or a driver for an update of that Type. Two fields that disagree make
// the patch contested: two classifications, a driver that is not classified as one or the other way round, a security
// update that is optional (BrowseOnly), and MsrcSeverity, a CVE or a bulletin on what is a driver or a feature. An optional
// update of the classification "Updates" is [patch.ClassOptional].
//
// Reversal is uninstall or none, as IsUninstallable says. Size is MaxDownloadSize. Modified is LastDeploymentChangeTime.
// Native holds all that has no other place: IsHidden, EulaAccepted, Deadline, the properties of a driver.
func (u *Update) Patch() patch.Patch {
	p := patch.Patch{
		ID:          u.ID(),
		Title:       u.Title,
		Severity:    source.Severity(u.MsrcSeverity),
		SeverityRaw: u.MsrcSeverity,
		Reboot:      u.Reboot,
		Modified:    u.Changed,
		Size:        u.MaxDownloadSize,
		References:  slices.Clone(u.MoreInfoURLs),
		Native:      u.native(),
	}
	switch u.IsUninstallable {
	case patch.Yes:
		p.Reversal = patch.ReversalUninstall
	case patch.No:
		p.Reversal = patch.ReversalNone
	}
	u.classify(&p)
	for _, id := range u.SupersededIDs {
		p.Supersedes = append(p.Supersedes, patch.ID("wua:"+id))
	}
	if len(u.CVEs)+len(u.Bulletins) > 0 {
		a := patch.Advisory{CVEs: slices.Clone(u.CVEs), Severity: p.Severity, SeverityRaw: u.MsrcSeverity}
		switch {
		case len(u.Bulletins) > 0:
			a.ID = u.Bulletins[0]
		case len(u.KBs) > 0:
			a.ID = "KB" + u.KBs[0]
		default:
			a.ID = u.CVEs[0]
		}
		p.Advisories = []patch.Advisory{a}
		for _, bulletin := range u.Bulletins[min(1, len(u.Bulletins)):] {
			p.Advisories = append(p.Advisories, patch.Advisory{ID: bulletin})
		}
	}
	return p
}

func (u *Update) classify(p *patch.Patch) {
	classes, names := make(map[patch.Classification]bool), make(map[string]bool)
	for _, c := range u.Categories {
		name, known := classificationOf(c.ID)
		if !known && c.Type != "UpdateClassification" {
			continue
		}
		name = cmp.Or(name, c.Name, c.ID)
		names[name] = true
		class := source.Classification(name)
		if known && name == "Driver Sets" {
			class = patch.ClassDriver
		}
		if classes[class] = true; p.Classification == patch.ClassUnknown {
			p.Classification = class
		}
	}
	p.ClassificationRaw = slices.Sorted(maps.Keys(names))
	p.Contested = len(classes) > 1
	const software, driver = 1, 2
	switch {
	case u.Type == driver && p.Classification == patch.ClassUnknown:
		p.Classification = patch.ClassDriver
	case u.Type == driver && p.Classification != patch.ClassDriver, u.Type == software && p.Classification == patch.ClassDriver:
		p.Contested = true
	}
	if u.BrowseOnly == patch.Yes {
		switch p.Classification {
		case patch.ClassBugfix, patch.ClassUnknown:
			p.Classification = patch.ClassOptional
		case patch.ClassSecurity, patch.ClassCritical, patch.ClassDefinition:
			p.Contested = true
		}
	}
	if p.Severity != patch.SeverityUnrated || len(u.CVEs)+len(u.Bulletins) > 0 {
		switch p.Classification {
		case patch.ClassDriver, patch.ClassFeature:
			p.Contested = true
		}
	}
}

func (u *Update) native() map[string]string {
	native := maps.Clone(u.Other)
	if native == nil {
		native = make(map[string]string)
	}
	native["RevisionNumber"] = fmt.Sprint(u.RevisionNumber)
	if len(u.KBs) > 0 {
		native["KBArticleIDs"] = strings.Join(u.KBs, "; ")
	}
	for name, why := range u.Unreadable {
		native["error."+name] = why
	}
	return native
}
