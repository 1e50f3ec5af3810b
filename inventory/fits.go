package inventory

import (
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// offered says whether e is for s, installed on d, at all, whatever the versions.
func offered(e *patch.Entry, s *Software, d patch.Platform) bool {
	return e.Patch.Withdrawn.IsZero() &&
		archFits(e.Package.Arch, s.Arch, d.Arch) &&
		platformFits(e.Patch.Platform, d, s.Arch)
}

func anyArch(arch string) bool {
	return arch == "" || arch == "all" || arch == "noarch" || arch == "any"
}

func archFits(offered, installed, native string) bool {
	switch {
	case anyArch(offered), offered == installed:
		return true
	case anyArch(installed):
		return offered == native || native == ""
	}
	return false
}

// platformFits says whether a patch for p may go to a device d; foreign is an architecture of which d has a package.
func platformFits(p, d patch.Platform, foreign string) bool {
	return (p.OS == "" || d.OS == "" || p.OS == d.OS) &&
		(p.Version == "" || d.Version == "" || dotPrefix(p.Version, d.Version) || dotPrefix(d.Version, p.Version)) &&
		(anyArch(p.Arch) || d.Arch == "" || p.Arch == d.Arch || p.Arch == foreign)
}

func dotPrefix(short, long string) bool {
	return strings.HasPrefix(long, short) && (len(long) == len(short) || long[len(short)] == '.')
}

// modular says whether s comes from a module, as it says or its version shows.
func (s *Software) modular() bool { return s.Module != "" || modular(s.Version) }

// moduleFits says whether e is for the module stream that s belongs to, or for none if s belongs to none; mine says whether s
// is modular. known is false if both come from modules, as their versions show, and one of the streams is not known.
func moduleFits(e *patch.Entry, s *Software, mine bool) (fits, known bool) {
	if e.Package.Module != "" && s.Module != "" {
		return e.Package.Module == s.Module, true
	}
	theirs := e.Package.Module != "" || modular(e.Package.Fixed) || modular(e.Package.Last)
	return theirs == mine, !theirs || !mine
}

// modular says whether the release of an RPM package tells that it was built for a module: "1.module+el8.4.0+611+672d6c8a",
// "1.module_el8.6.0+2739+efabdb8f".
func modular(v version.Version) bool {
	if v.Scheme != version.RPM {
		return false
	}
	_, after, found := strings.Cut(v.Text, ".module")
	return found && after != "" && (after[0] == '+' || after[0] == '_')
}
