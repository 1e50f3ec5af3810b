// Package version compares the versions of packages exactly as their own package managers do.
//
// Every ecosystem orders versions by rules of its own, so the rules are part of a [Version]: its [Scheme]. Two versions of
// different schemes, or of a scheme that this package does not know, are incomparable, and incomparable means "hold",
// never "newer".
//
// A version turns into a sortable [Key]: comparing two keys as strings (or as bytes) gives the order of the scheme. Keys
// are what indices and databases hold; building one costs a few hundred nanoseconds, comparing two a few.
//
// # Which scheme for what
//
//	deb             packages of Debian, Ubuntu and what is made of them
//	rpm             packages of Red Hat, SUSE, Amazon Linux and other systems with rpm
//	apk             packages of Alpine
//	arch            packages of Arch Linux, with their pkgrel
//	windows         builds of Windows, versions of its files and drivers: a missing number is zero
//	dotnet          System.Version, which PowerShell modules have: a missing number is less than zero
//	winget          what the Windows Package Manager offers and lists
//	nuget           packages of NuGet and Chocolatey
//	macos           macOS, iOS and Apple's other systems by version
//	macos-build     one of them by build, on one model
//	sparkle         applications of macOS that update themselves by Sparkle
//	pep440          packages of Python
//	semver          where semantic versions are promised: npm, crates, Helm
//	semver-lenient  semantic versions as people write them, and tags such as those of Go modules
//	ostree          commits of OSTree, which applications of Flatpak are
//	loose           other software whose versions look semantic
//
// Take the scheme of what installs a package, not the one that its versions look like. Where none fits, give them a scheme that
// this package does not know: then they are incomparable, and nothing is concluded from them.
package version

import (
	"bytes"
	"errors"
	"fmt"
)

// A Scheme is a set of rules by which versions are ordered.
type Scheme string

// Deb is the order of dpkg: epoch, upstream version, revision, as deb-version(7) describes it.
const Deb Scheme = "deb"

// ErrIncomparable is wrapped by the error of comparing versions of different or unknown schemes.
var ErrIncomparable = errors.New("versions are incomparable")

// ErrSyntax is wrapped by the error for a text that is no version of its scheme.
var ErrSyntax = errors.New("not a version")

// A Version is the version of a package, as written, and the scheme that it follows. Two versions that are written
// differently can be equal in their order ("1.0" and "0:1.0-0" in [Deb]): use [Compare], not ==.
type Version struct {
	Scheme Scheme `json:"scheme"`
	Text   string `json:"text"`
}

// String returns the version as written.
func (v Version) String() string { return v.Text }

// IsZero says whether v is no version at all.
func (v Version) IsZero() bool { return v == Version{} }

// A Key is a sortable form of a version: for two versions of one scheme, the order of their keys as strings or bytes is
// the order of the versions. Keys of different schemes mean nothing to each other. A key is not meant to be read.
type Key string

// Parse checks text against the grammar of the scheme. The error wraps [ErrSyntax], or [ErrIncomparable] for a scheme that
// this package does not know.
func Parse(s Scheme, text string) (Version, error) {
	v := Version{Scheme: s, Text: text}
	if _, err := v.Key(); err != nil {
		return Version{}, err
	}
	return v, nil
}

// Key returns the sortable form of v. Errors are those of [Parse].
func (v Version) Key() (Key, error) {
	var buf [96]byte
	b, err := v.AppendKey(buf[:0])
	return Key(b), err
}

// AppendKey appends the sortable form of v to b and returns the longer slice; it allocates only if b is too small.
// On an error b is returned as it was. Errors are those of [Parse].
func (v Version) AppendKey(b []byte) ([]byte, error) {
	switch v.Scheme {
	case Deb:
		return appendDeb(b, v.Text)
	case SemVer:
		return appendSemVer(b, v.Text)
	case SemVerLenient:
		return appendSemVerLenient(b, v.Text)
	case Windows:
		return appendWindows(b, v.Text)
	case DotNet:
		return appendDotNet(b, v.Text)
	case APK:
		return appendAPK(b, v.Text)
	case Arch:
		return appendArch(b, v.Text)
	case RPM:
		return appendRPM(b, v.Text)
	case WinGet:
		return appendWinGet(b, v.Text)
	case MacOS:
		return appendMacOS(b, v.Text)
	case MacOSBuild:
		return appendMacOSBuild(b, v.Text)
	case Sparkle:
		return appendSparkle(b, v.Text)
	case PEP440:
		return appendPEP440(b, v.Text)
	case NuGet:
		return appendNuGet(b, v.Text)
	case OSTree:
		return appendOSTree(b, v.Text)
	case Loose:
		return appendLoose(b, v.Text)
	}
	return b, fmt.Errorf("version: scheme %q: %w", v.Scheme, ErrIncomparable)
}

// Compare returns a negative number if a is older than b, zero if they are equal in their order, and a positive number if
// a is newer. The error wraps [ErrIncomparable] if the schemes differ or are unknown, [ErrSyntax] if one of the texts
// is no version.
func Compare(a, b Version) (int, error) {
	if a.Scheme != b.Scheme {
		return 0, fmt.Errorf("version: %s %q and %s %q: %w", a.Scheme, a.Text, b.Scheme, b.Text, ErrIncomparable)
	}
	switch a.Scheme { // those that fleets have by the million
	case Deb:
		return compareDeb(a.Text, b.Text)
	case RPM:
		return compareRPM(a.Text, b.Text)
	}
	var abuf, bbuf [96]byte
	ak, err := a.AppendKey(abuf[:0])
	if err != nil {
		return 0, err
	}
	bk, err := b.AppendKey(bbuf[:0])
	if err != nil {
		return 0, err
	}
	return bytes.Compare(ak, bk), nil
}
