package version

import (
	"fmt"
	"strconv"
	"strings"

	hashicorp "github.com/hashicorp/go-version"
)

// Loose is the order of third-party software whose versions look like semantic versions more or less: "v1.2", "1.2.3.4",
// "2.0-rc1", "1.0+build5". Missing parts count as zero, a pre-release stands before its release, and what follows a plus
// sign does not count. It is never the order of an operating system's packages.
//
// Texts are read by hashicorp/go-version. The order of pre-releases is that of semver.org 2.0.0 item 11, which that
// library's own comparison misses where identifiers hold letters.
const Loose Scheme = "loose"

// maxLoose bounds a loose version: longer texts are no versions but attacks on the grammar.
const maxLoose = 256

// The bytes of a loose key: the numbers without trailing zeros, looseEnd, then for a release looseRelease, and for a
// pre-release its identifiers, each closed by looseEnd, and looseEnd once more. Numbers stand before words.
const (
	looseEnd     = '!'
	looseNumber  = '#'
	looseWord    = '$'
	looseRelease = '~'
)

func appendLoose(b []byte, text string) ([]byte, error) {
	if len(text) > maxLoose {
		return b, fmt.Errorf("version: loose %q... (%d bytes): too long: %w", text[:maxLoose], len(text), ErrSyntax)
	}
	v, err := hashicorp.NewVersion(text)
	if err != nil {
		return b, fmt.Errorf("version: loose %q: %w", text, ErrSyntax)
	}
	segments := v.Segments64()
	for len(segments) > 0 && segments[len(segments)-1] == 0 {
		segments = segments[:len(segments)-1]
	}
	key := b
	for _, n := range segments {
		key = append(key, looseNumber)
		key, _ = appendNumber(key, strconv.FormatInt(n, 10))
	}
	key = append(key, looseEnd)
	pre := v.Prerelease()
	if pre == "" {
		return append(key, looseRelease), nil
	}
	for id := range strings.SplitSeq(pre, ".") {
		if id != "" && strings.Trim(id, "0123456789") == "" {
			key = append(key, looseNumber)
			key, _ = appendNumber(key, id)
		} else {
			key = append(append(key, looseWord), id...)
		}
		key = append(key, looseEnd)
	}
	return append(key, looseEnd), nil
}
