package osv

import (
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// An ecosystem says how the packages and versions of one are to be read.
type ecosystem struct {
	scheme version.Scheme

	// sources says that records name source packages. What they name otherwise is what is installed.
	sources bool

	distribution bool   // what is related to an advisory are the CVEs that it is about
	modular      bool   // packages come from module streams, which the summary names
	rated        bool   // the summary begins with the severity: "Important: "
	os           string // as /etc/os-release calls it, if a release of the ecosystem is one of the operating system
}

// ecosystemOf returns what is known of an ecosystem by its name, with or without a release: "Debian:12". The names are
// those of the list of OSV's schema.
func ecosystemOf(written string) ecosystem {
	e := distributionOf(written)
	e.scheme = source.SchemeOf(written)
	return e
}

// distributionOf is ecosystemOf without the scheme.
func distributionOf(written string) ecosystem {
	base, _, _ := strings.Cut(written, ":")
	switch base {
	case "Debian":
		return ecosystem{sources: true, distribution: true, os: "debian"}
	case "Ubuntu":
		return ecosystem{sources: true, distribution: true, os: "ubuntu"}
	case "AlmaLinux":
		return ecosystem{distribution: true, modular: true, rated: true, os: "almalinux"}
	case "Rocky Linux":
		return ecosystem{sources: true, distribution: true, modular: true, rated: true, os: "rocky"}
	case "Red Hat":
		return ecosystem{distribution: true, modular: true}
	case "SUSE", "openSUSE", "openEuler":
		return ecosystem{sources: true, distribution: true}
	case "Mageia":
		return ecosystem{sources: true, distribution: true, os: "mageia"}
	case "Azure Linux":
		return ecosystem{sources: true, distribution: true, os: "azurelinux"}
	case "Alpine":
		return ecosystem{sources: true, distribution: true, os: "alpine"}
	case "Wolfi", "Chainguard":
		return ecosystem{distribution: true}
	case "Alpaquita", "BellSoft Hardened Containers", "Echo":
		return ecosystem{sources: true, distribution: true}
	}
	return ecosystem{}
}

// named makes a scheme of a name: "github-actions" of "GitHub Actions".
func named(name string) version.Scheme {
	return version.Scheme(strings.ReplaceAll(strings.ToLower(name), " ", "-"))
}

// schemeOf returns the scheme of the versions in a range of a type. SEMVER says that they are semantic versions whatever
// the ecosystem has.
func (e *ecosystem) schemeOf(rangeType string) version.Scheme {
	switch rangeType {
	case "SEMVER":
		if e.scheme == version.SemVerLenient {
			return e.scheme
		}
		return version.SemVer
	case "ECOSYSTEM":
		return e.scheme
	}
	return named(rangeType)
}

// platform returns the release of an operating system that the packages of an ecosystem are for; zero if it is none. In
// "Ubuntu:Pro:22.04:LTS" the release is the part that is a number.
func platform(written string) patch.Platform {
	p := patch.Platform{OS: ecosystemOf(written).os}
	if p.OS == "" {
		return patch.Platform{}
	}
	_, rest, _ := strings.Cut(written, ":")
	for part := range strings.SplitSeq(rest, ":") {
		if part = strings.TrimPrefix(part, "v"); part != "" && strings.Trim(part, "0123456789.") == "" {
			p.Version = part
			break
		}
	}
	return p
}

// agree returns what two platforms have in common.
func agree(a, b patch.Platform) patch.Platform {
	switch {
	case a.OS != b.OS:
		return patch.Platform{}
	case a.Version != b.Version:
		return patch.Platform{OS: a.OS}
	}
	return a
}

// isDistribution says whether a record is an advisory of a distribution.
func (r *record) isDistribution() bool {
	for i := range r.Affected {
		if e := ecosystemOf(r.Affected[i].Package.Ecosystem); e.distribution {
			return true
		}
	}
	_, kind := kindOfAdvisory(r.ID)
	return kind != patch.ClassUnknown
}

// kindOfAdvisory returns the beginning of an ID that tells what kind of advisory it is, and the kind. It is unknown if the
// beginning tells nothing.
func kindOfAdvisory(id string) (string, patch.Classification) {
	for _, k := range []struct {
		class    patch.Classification
		prefixes string
	}{
		{patch.ClassSecurity, "ALSA RHSA RLSA RXSA ELSA SUSE-SU openSUSE-SU DSA DLA USN MGASA"},
		{patch.ClassBugfix, "ALBA RHBA RLBA ELBA SUSE-RU openSUSE-RU MGAA"},
		{patch.ClassFeature, "ALEA RHEA RLEA ELEA SUSE-FU openSUSE-FU"},
		{patch.ClassOptional, "SUSE-OU openSUSE-OU"},
	} {
		for prefix := range strings.FieldsSeq(k.prefixes) {
			if rest, found := strings.CutPrefix(id, prefix); found && strings.HasPrefix(rest, "-") {
				return prefix, k.class
			}
		}
	}
	return "", patch.ClassUnknown
}
