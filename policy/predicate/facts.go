package predicate

import (
	"cmp"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// Facts are what an expression is about: a patch, a device, what the device misses of the patch, and the time. Everything
// about what is nil is unknown, and so is every age while Now is zero.
type Facts struct {
	Patch   *patch.Patch
	Device  *inventory.Device
	Finding *inventory.Finding
	Now     time.Time
}

// facts are Facts and the one advisory that is looked at, if any. They are passed by value, so that nothing escapes.
type facts struct {
	Facts
	advisory *patch.Advisory
}

// A field is one row of the table of all fields. One of its functions is set, as its kind needs it. They are called with
// the thing that the field belongs to, never without.
type field struct {
	name string
	of   scope
	kind kind
	doc  string

	text  func(f facts) string // "" is unknown, but for a tenant
	word  func(v int) string   // the name of a word or level
	value func(f facts) int    // of a word or level; 0 is unknown
	truth func(f facts) patch.Tri
	num   func(f facts) float64   // 0 is unknown; of a number or a size
	since func(f facts) time.Time // when an age begins; zero is unknown

	// each says whether test holds for one element: yes, or no if all elements are known, or unknown. It stops at the first.
	each func(f facts, test func(string) bool) patch.Tri
	// versions does the same for versions.
	versions func(f facts, test func(version.Version) patch.Tri) patch.Tri
}

// some says what is known after all elements of a list were looked at in vain.
func some(closed bool) patch.Tri {
	if closed {
		return patch.No
	}
	return patch.Unknown
}

// texts is field.each for a list that is known if it is not empty.
func texts[S ~string](list []S, test func(string) bool) patch.Tri {
	for _, s := range list {
		if test(string(s)) {
			return patch.Yes
		}
	}
	return some(len(list) > 0)
}

func packages(x *patch.Patch, test func(string) bool, of func(p *patch.Package) string) patch.Tri {
	found := false
	for i := range x.Packages {
		if s := of(&x.Packages[i]); s != "" {
			if found = true; test(s) {
				return patch.Yes
			}
		}
	}
	return some(found)
}

func missing(f *inventory.Finding, test func(string) bool, of func(m *inventory.Missing) string) patch.Tri {
	for i := range f.Packages {
		if s := of(&f.Packages[i]); s != "" && test(s) {
			return patch.Yes
		}
	}
	return some(len(f.Packages) > 0)
}

func missingVersions(f *inventory.Finding, test func(version.Version) patch.Tri, of func(m *inventory.Missing) version.Version) patch.Tri {
	all := some(len(f.Packages) > 0)
	for i := range f.Packages {
		v := of(&f.Packages[i])
		if v.IsZero() {
			all = patch.Unknown
			continue
		}
		switch test(v) {
		case patch.Yes:
			return patch.Yes
		case patch.Unknown:
			all = patch.Unknown
		}
	}
	return all
}

// covered says whether all that is installed on d is known.
func covered(d *inventory.Device) bool {
	for i := range d.Coverage {
		if d.Coverage[i].Status != inventory.Complete {
			return false
		}
	}
	return len(d.Coverage) > 0
}

func held(f *inventory.Finding) patch.Tri {
	for i := range f.Packages {
		if f.Packages[i].Held {
			return patch.Yes
		}
	}
	return some(len(f.Packages) > 0)
}

// table returns all fields, in the order of the documentation.
func table() []field { return append(patchFields(), deviceFields()...) }

func patchFields() []field {
	return []field{
		{name: "id", of: ofPatch, kind: kindList, doc: "its ID and its aliases", each: func(f facts, test func(string) bool) patch.Tri {
			if f.Patch.ID == "" {
				return texts(f.Patch.Aliases, test)
			}
			if test(string(f.Patch.ID)) || texts(f.Patch.Aliases, test) == patch.Yes {
				return patch.Yes
			}
			return patch.No
		}},
		{name: "source", of: ofPatch, kind: kindText, doc: "the source that its ID names", text: func(f facts) string { return f.Patch.ID.Source() }},
		{name: "title", of: ofPatch, kind: kindText, doc: "its title", text: func(f facts) string { return f.Patch.Title }},
		{name: "classification", of: ofPatch, kind: kindWord, doc: "what kind of change it is",
			word:  func(v int) string { return patch.Classification(v).String() },
			value: func(f facts) int { return int(f.Patch.Classification) }},
		{name: "severity", of: ofPatch, kind: kindLevel, doc: "how its publisher rates it",
			word:  func(v int) string { return patch.Severity(v).String() },
			value: func(f facts) int { return int(f.Patch.Severity) }},
		{name: "worst", of: ofPatch, kind: kindLevel, doc: "the gravest rating of it or of one of its advisories",
			word:  func(v int) string { return patch.Severity(v).String() },
			value: func(f facts) int { return int(f.Patch.Worst()) }},
		{name: "contested", of: ofPatch, kind: kindTruth, doc: "its publishers disagree about it", truth: func(f facts) patch.Tri { return patch.TriOf(f.Patch.Contested) }},
		{name: "withdrawn", of: ofPatch, kind: kindTruth, doc: "its publisher has taken it back", truth: func(f facts) patch.Tri { return patch.TriOf(!f.Patch.Withdrawn.IsZero()) }},
		{name: "exploited", of: ofPatch, kind: kindTruth, doc: "an advisory of it is known to be exploited", truth: func(f facts) patch.Tri { return f.Patch.Exploited() }},
		{name: "epss", of: ofPatch, kind: kindNumber, doc: "the highest probability of exploitation, 0 to 1", num: func(f facts) float64 { return f.Patch.EPSS() }},
		{name: "cvss", of: ofPatch, kind: kindNumber, doc: "the highest CVSS base score, 0 to 10", num: func(f facts) float64 { return f.Patch.Base() }},
		{name: "cve", of: ofPatch, kind: kindList, doc: "the CVEs of its advisories", each: func(f facts, test func(string) bool) patch.Tri {
			all := patch.Unknown
			for i := range f.Patch.Advisories {
				switch texts(f.Patch.Advisories[i].CVEs, test) {
				case patch.Yes:
					return patch.Yes
				case patch.No:
					all = patch.No
				}
			}
			return all
		}},
		{name: "package", of: ofPatch, kind: kindList, doc: "the binary packages that it replaces", each: func(f facts, test func(string) bool) patch.Tri {
			return packages(f.Patch, test, func(p *patch.Package) string { return p.Name })
		}},
		{name: "package.source", of: ofPatch, kind: kindList, doc: "the source packages of these, which have the same name if no other is given", each: func(f facts, test func(string) bool) patch.Tri {
			return packages(f.Patch, test, func(p *patch.Package) string { return cmp.Or(p.Source, p.Name) })
		}},
		{name: "package.ecosystem", of: ofPatch, kind: kindList, doc: "the ecosystems of these, \"Debian:12\"", each: func(f facts, test func(string) bool) patch.Tri {
			return packages(f.Patch, test, func(p *patch.Package) string { return p.Ecosystem })
		}},
		{name: "package.origin", of: ofPatch, kind: kindList, doc: "the archives or channels that offer these", each: func(f facts, test func(string) bool) patch.Tri {
			all := patch.Unknown
			for i := range f.Patch.Packages {
				switch texts(f.Patch.Packages[i].Origins, test) {
				case patch.Yes:
					return patch.Yes
				case patch.No:
					all = patch.No
				}
			}
			return all
		}},
		{name: "supersedes", of: ofPatch, kind: kindList, doc: "the patches that it makes unnecessary", each: func(f facts, test func(string) bool) patch.Tri { return texts(f.Patch.Supersedes, test) }},
		{name: "requires", of: ofPatch, kind: kindList, doc: "the patches that must be installed first", each: func(f facts, test func(string) bool) patch.Tri { return texts(f.Patch.Requires, test) }},
		{name: "platform.os", of: ofPatch, kind: kindText, doc: "the operating system that it is for", text: func(f facts) string { return f.Patch.Platform.OS }},
		{name: "platform.version", of: ofPatch, kind: kindRelease, doc: "the version of that", text: func(f facts) string { return f.Patch.Platform.Version }},
		{name: "platform.arch", of: ofPatch, kind: kindText, doc: "the architecture of that", text: func(f facts) string { return f.Patch.Platform.Arch }},
		{name: "reboot", of: ofPatch, kind: kindWord, doc: "whether it wants a restart",
			word:  func(v int) string { return patch.Reboot(v).String() },
			value: func(f facts) int { return int(f.Patch.Reboot) }},
		{name: "reversal", of: ofPatch, kind: kindWord, doc: "how it can be taken back",
			word:  func(v int) string { return patch.Reversal(v).String() },
			value: func(f facts) int { return int(f.Patch.Reversal) }},
		{name: "size", of: ofPatch, kind: kindSize, doc: "what there is to download", num: func(f facts) float64 { return float64(f.Patch.Size) }},
		{name: "age", of: ofPatch, kind: kindAge, doc: "time since it was released", since: func(f facts) time.Time { return f.Patch.Released }},
		{name: "age.modified", of: ofPatch, kind: kindAge, doc: "time since its publisher last changed it", since: func(f facts) time.Time { return f.Patch.Modified }},

		{name: "advisory.id", of: ofAdvisory, kind: kindText, doc: "its ID", text: func(f facts) string { return f.advisory.ID }},
		{name: "advisory.title", of: ofAdvisory, kind: kindText, doc: "its title", text: func(f facts) string { return f.advisory.Title }},
		{name: "advisory.cve", of: ofAdvisory, kind: kindList, doc: "its CVEs", each: func(f facts, test func(string) bool) patch.Tri { return texts(f.advisory.CVEs, test) }},
		{name: "advisory.severity", of: ofAdvisory, kind: kindLevel, doc: "how its issuer rates it",
			word:  func(v int) string { return patch.Severity(v).String() },
			value: func(f facts) int { return int(f.advisory.Severity) }},
		{name: "advisory.exploited", of: ofAdvisory, kind: kindTruth, doc: "it is known to be exploited", truth: func(f facts) patch.Tri { return f.advisory.Exploited }},
		{name: "advisory.epss", of: ofAdvisory, kind: kindNumber, doc: "its probability of exploitation, 0 to 1", num: func(f facts) float64 { return f.advisory.EPSS }},
		{name: "advisory.cvss", of: ofAdvisory, kind: kindNumber, doc: "its highest CVSS base score, 0 to 10", num: func(f facts) float64 {
			base := 0.
			for i := range f.advisory.Scores {
				base = max(base, f.advisory.Scores[i].Base)
			}
			return base
		}},
		{name: "advisory.age", of: ofAdvisory, kind: kindAge, doc: "time since it was published", since: func(f facts) time.Time { return f.advisory.Published }},
		{name: "advisory.age.exploited", of: ofAdvisory, kind: kindAge, doc: "time since its exploitation was recorded", since: func(f facts) time.Time { return f.advisory.KnownSince }},
	}
}

func deviceFields() []field {
	return []field{
		{name: "device.id", of: ofDevice, kind: kindText, doc: "its ID", text: func(f facts) string { return string(f.Device.ID) }},
		{name: "device.name", of: ofDevice, kind: kindText, doc: "its name, or its ID without one", text: func(f facts) string { return cmp.Or(f.Device.Name, string(f.Device.ID)) }},
		{name: "device.tenant", of: ofDevice, kind: kindTenant, doc: "whose it is: equal to a tenant if it is that or stands below it", text: func(f facts) string { return string(f.Device.Tenant) }},
		{name: "device.os", of: ofDevice, kind: kindText, doc: "its operating system", text: func(f facts) string { return f.Device.Platform.OS }},
		{name: "device.version", of: ofDevice, kind: kindRelease, doc: "the version of that", text: func(f facts) string { return f.Device.Platform.Version }},
		{name: "device.arch", of: ofDevice, kind: kindText, doc: "its architecture", text: func(f facts) string { return f.Device.Platform.Arch }},
		{name: "device.zone", of: ofDevice, kind: kindText, doc: "its time zone", text: func(f facts) string { return f.Device.Zone }},
		{name: "device.exposure", of: ofDevice, kind: kindWord, doc: "whether the internet reaches it",
			word:  func(v int) string { return inventory.Exposure(v).String() },
			value: func(f facts) int { return int(f.Device.Exposure) }},
		{name: "device.pendingReboot", of: ofDevice, kind: kindTruth, doc: "it waits for a restart", truth: func(f facts) patch.Tri { return f.Device.PendingReboot }},
		{name: "device.age.pending", of: ofDevice, kind: kindAge, doc: "time since it was first seen to wait for one", since: func(f facts) time.Time { return f.Device.PendingSince }},
		{name: "device.age.seen", of: ofDevice, kind: kindAge, doc: "time since it was last seen", since: func(f facts) time.Time { return f.Device.LastSeen }},
		{name: "device.software", of: ofDevice, kind: kindList, doc: "the packages that are installed; all are known if all managers were covered completely", each: func(f facts, test func(string) bool) patch.Tri {
			for i := range f.Device.Software {
				if test(f.Device.Software[i].Name) {
					return patch.Yes
				}
			}
			return some(covered(f.Device))
		}},
		{name: "device.manager", of: ofDevice, kind: kindList, doc: "the package managers that its scans know", each: func(f facts, test func(string) bool) patch.Tri {
			for i := range f.Device.Coverage {
				if test(f.Device.Coverage[i].Manager) {
					return patch.Yes
				}
			}
			return some(len(f.Device.Coverage) > 0)
		}},
		{name: "device.updater", of: ofDevice, kind: kindList, doc: "what else installs updates on it", each: func(f facts, test func(string) bool) patch.Tri {
			if texts(f.Device.Updaters, test) == patch.Yes {
				return patch.Yes
			}
			return some(f.Device.Updaters != nil)
		}},
		{name: "device.label", of: ofDevice, kind: kindList, doc: "the keys of its labels, all of which are known", each: func(f facts, test func(string) bool) patch.Tri {
			for key := range f.Device.Labels {
				if test(key) {
					return patch.Yes
				}
			}
			return patch.No
		}},
		{name: "label.KEY", of: ofDevice, kind: kindText, doc: "the value of its label KEY; unknown if it has none"},

		{name: "finding.evidence", of: ofFinding, kind: kindWord, doc: "how it is known",
			word:  func(v int) string { return inventory.Evidence(v).String() },
			value: func(f facts) int { return int(f.Finding.Evidence) }},
		{name: "finding.superseded", of: ofFinding, kind: kindTruth, doc: "another finding makes it unnecessary", truth: func(f facts) patch.Tri { return patch.TriOf(f.Finding.SupersededBy != "") }},
		{name: "finding.held", of: ofFinding, kind: kindTruth, doc: "a package's manager was told not to change it", truth: func(f facts) patch.Tri { return held(f.Finding) }},
		{name: "finding.package", of: ofFinding, kind: kindList, doc: "the packages that are too old", each: func(f facts, test func(string) bool) patch.Tri {
			return missing(f.Finding, test, func(m *inventory.Missing) string { return m.Name })
		}},
		{name: "finding.manager", of: ofFinding, kind: kindList, doc: "the package managers of these", each: func(f facts, test func(string) bool) patch.Tri {
			return missing(f.Finding, test, func(m *inventory.Missing) string { return m.Manager })
		}},
		{name: "finding.ecosystem", of: ofFinding, kind: kindList, doc: "the ecosystems of these", each: func(f facts, test func(string) bool) patch.Tri {
			return missing(f.Finding, test, func(m *inventory.Missing) string { return m.Ecosystem })
		}},
		{name: "finding.installed", of: ofFinding, kind: kindVersion, doc: "the versions of these that are installed", versions: func(f facts, test func(version.Version) patch.Tri) patch.Tri {
			return missingVersions(f.Finding, test, func(m *inventory.Missing) version.Version { return m.Installed })
		}},
		{name: "finding.fixed", of: ofFinding, kind: kindVersion, doc: "the versions that have the fix", versions: func(f facts, test func(version.Version) patch.Tri) patch.Tri {
			return missingVersions(f.Finding, test, func(m *inventory.Missing) version.Version { return m.Fixed })
		}},
	}
}
