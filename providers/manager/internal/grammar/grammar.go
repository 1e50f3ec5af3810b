// Package grammar says what may be the name, the version and the architecture of a package, by package manager. What passes here
// is taken by the manager for nothing else: no option, pattern, path, address or wish to remove.
package grammar

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
)

const (
	digits  = "0123456789"
	lower   = "abcdefghijklmnopqrstuvwxyz" + digits
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// A Rule is what a word looks like.
type Rule struct {
	First    string // what it may begin with
	Rest     string // what may follow
	NotLast  string // what it must not end with
	Min, Max int    // bytes
	Epoch    bool   // digits and a colon may stand before it
	Releases int    // how many times it has "-" at least and at most; 0 for any number, if Rest has it
}

func (r Rule) fits(word string) bool {
	if len(word) > r.Max {
		return false
	}
	if epoch, rest, found := strings.Cut(word, ":"); found && r.Epoch {
		if epoch == "" || len(epoch) > 10 || strings.Trim(epoch, digits) != "" {
			return false
		}
		word = rest
	}
	switch {
	case len(word) < r.Min || word == "":
		return false
	case !strings.Contains(r.First, word[:1]) || strings.Contains(r.NotLast, word[len(word)-1:]):
		return false
	case r.Releases > 0 && strings.Count(word, "-") != r.Releases:
		return false
	case r.Releases > 0 && strings.Contains(word, "--"), r.Releases > 0 && strings.HasPrefix(word, "-"):
		return false
	}
	return strings.Trim(word, r.Rest) == ""
}

// A Grammar is the words of one package manager.
type Grammar struct {
	Manager             string
	Name, Version, Arch Rule
}

// CheckName returns an error, which wraps [patch.ErrPermanent], for what is no name of a package.
func (g Grammar) CheckName(name string) error { return g.check(g.Name, name, "name of a package") }

// CheckVersion does the same for a version.
func (g Grammar) CheckVersion(v string) error { return g.check(g.Version, v, "version") }

// CheckArch does the same for an architecture, whose absence is none.
func (g Grammar) CheckArch(arch string) error {
	if arch == "" {
		return nil
	}
	return g.check(g.Arch, arch, "architecture")
}

func (g Grammar) check(r Rule, word, what string) error {
	if r.fits(word) {
		return nil
	}
	return fmt.Errorf("%s: %.60q is no %s: %w", g.Manager, word, what, patch.ErrPermanent)
}

// Deb is that of apt and dpkg: names of Debian's policy manual (5.6.1), versions of deb-version(7). What ends with "+" or "-"
// would be installed or removed.
func Deb() Grammar {
	return Grammar{
		Manager: "apt",
		Name:    Rule{First: lower, Rest: lower + "+-.", NotLast: "-", Min: 2, Max: 128},
		Version: Rule{First: digits, Rest: letters + ".+~-", NotLast: "+-", Min: 1, Max: 128, Epoch: true},
		Arch:    Rule{First: lower, Rest: lower + "-", NotLast: "-", Min: 1, Max: 64},
	}
}

// RPM is that of rpm, dnf and zypper, under the name of one of them: what rpmbuild lets into names, versions and releases (its file
// build/parsePreamble.c). A version has its release, and an epoch unless that is zero.
func RPM(manager string) Grammar {
	return Grammar{
		Manager: manager,
		Name:    Rule{First: letters + "_", Rest: letters + "_+-.", NotLast: "-.", Min: 1, Max: 128},
		Version: Rule{First: letters, Rest: letters + "._+~^-", NotLast: "-", Min: 3, Max: 128, Epoch: true, Releases: 1},
		Arch:    Rule{First: lower, Rest: letters + "_", Min: 1, Max: 64},
	}
}

// Pacman is that of Arch Linux: the variables pkgname, pkgver and pkgrel of PKGBUILD(5).
func Pacman() Grammar {
	return Grammar{
		Manager: "pacman",
		Name:    Rule{First: lower + "@_+", Rest: lower + "@._+-", Min: 1, Max: 128},
		Version: Rule{First: letters + "_", Rest: letters + "._+~-", NotLast: "-", Min: 3, Max: 128, Epoch: true, Releases: 1},
		Arch:    Rule{First: lower, Rest: lower + "_", Min: 1, Max: 64},
	}
}

// APK is that of Alpine: apk-package(5). A version has its release. What has "@", "~" or an operator would be another wish.
func APK() Grammar {
	return Grammar{
		Manager: "apk",
		Name:    Rule{First: letters + "_", Rest: letters + "_+-.", NotLast: "-.", Min: 1, Max: 128},
		Version: Rule{First: digits, Rest: lower + "._~-", NotLast: "-._~", Min: 4, Max: 128, Releases: 1},
		Arch:    Rule{First: lower, Rest: lower + "_", Min: 1, Max: 64},
	}
}

// Snap is that of snaps: names of the store, without the key of an instance, and as versions the numbers of revisions.
func Snap() Grammar {
	return Grammar{
		Manager: "snap",
		Name:    Rule{First: lower, Rest: lower + "-", NotLast: "-", Min: 2, Max: 40},
		Version: Rule{First: digits[1:], Rest: digits, Min: 1, Max: 9},
		Arch:    Rule{First: lower, Rest: lower, Min: 1, Max: 64},
	}
}

// Brew is that of Homebrew's own formulae and casks. What is of a tap has slashes, and is none here.
func Brew() Grammar {
	return Grammar{
		Manager: "brew",
		Name:    Rule{First: lower, Rest: lower + "@+-._", NotLast: "@-.", Min: 1, Max: 128},
		Version: Rule{First: letters, Rest: letters + "._+~:-", NotLast: "-", Min: 1, Max: 128},
		Arch:    Rule{First: lower, Rest: lower + "_", Min: 1, Max: 64},
	}
}

// Chocolatey is that of NuGet: identifiers in lower case, versions of numbers with labels.
func Chocolatey() Grammar {
	return Grammar{
		Manager: "chocolatey",
		Name:    Rule{First: lower + "_", Rest: lower + "._-", NotLast: "-.", Min: 1, Max: 100},
		Version: Rule{First: digits, Rest: letters + ".+-", NotLast: "-.+", Min: 1, Max: 128},
		Arch:    Rule{First: lower, Rest: lower, Min: 1, Max: 64},
	}
}

// WinGet is that of the manifests of winget, of which it takes ASCII and no blanks.
func WinGet() Grammar {
	return Grammar{
		Manager: "winget",
		Name:    Rule{First: letters, Rest: letters + ".+-_", NotLast: "-.", Min: 3, Max: 128},
		Version: Rule{First: letters, Rest: letters + "._+~-", NotLast: "-", Min: 1, Max: 128},
		Arch:    Rule{First: lower, Rest: lower, Min: 1, Max: 64},
	}
}

// Flatpak is that of Flatpak: the identifier of an application or runtime, a colon and its branch, "org.gnome.Platform:48", of which
// package flatpak knows more, and as versions the time and the name of a commit, as scheme "ostree" has them.
func Flatpak() Grammar {
	return Grammar{
		Manager: "flatpak",
		Name:    Rule{First: letters + "_", Rest: letters + "._-:", NotLast: ":.", Min: 7, Max: 255},
		Version: Rule{First: digits, Rest: digits + "TZ-abcdef", Min: 81, Max: 81},
		Arch:    Rule{First: lower, Rest: lower + "_", Min: 1, Max: 64},
	}
}
