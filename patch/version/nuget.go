package version

import (
	"math"
	"strings"
)

// NuGet is the order of NuGet, and of Chocolatey, which uses it: one to four numbers of 31 bits, of which missing ones are zero;
// after a hyphen the labels of a pre-release, in which letters know no case; after a plus sign what does not count. Blanks around a
// version are allowed. It is the default comparison of NuGet.Versioning.
//
// A label that is a number of 32 bits stands before words, as in semantic versions, and may have a sign here: "-5" is one. A longer
// number is a word, as it is for NuGet.
const NuGet Scheme = "nuget"

// The bytes of a nuget key: four numbers, then nugetRelease, or the labels of a pre-release and nugetEnd.
const (
	nugetEnd     = '!' // closes a word, too
	nugetNumber  = '#'
	nugetWord    = '$'
	nugetRelease = '~'
)

func appendNuGet(b []byte, text string) ([]byte, error) {
	rest := strings.Trim(text, " \t\n\v\f\r")
	rest, build, built := strings.Cut(rest, "+")
	numbers, labels, pre := strings.Cut(rest, "-")
	key, n := b, 0
	for part := range strings.SplitSeq(numbers, ".") {
		if n++; n > 4 || !isNumber(part) {
			return b, syntax(NuGet, text, "want at most four numbers, parted by dots")
		}
		value := uint64(0)
		for i := range len(part) {
			if value = value*10 + uint64(part[i]-'0'); value > math.MaxInt32 {
				return b, syntax(NuGet, text, "a number is too big")
			}
		}
		key, _ = appendNumber(key, part)
	}
	for ; n < 4; n++ {
		key, _ = appendNumber(key, "0")
	}
	for more := built; more; {
		var id string
		id, build, more = strings.Cut(build, ".")
		if _, ok := semverIdentifier(id); !ok {
			return b, syntax(NuGet, text, "what follows the plus sign has a part that is none: letters, digits and hyphens")
		}
	}
	if !pre {
		return append(key, nugetRelease), nil
	}
	for more := true; more; {
		var label string
		label, labels, more = strings.Cut(labels, ".")
		number, ok := semverIdentifier(label)
		switch {
		case !ok:
			return b, syntax(NuGet, text, "the pre-release has a label that is none: letters, digits and hyphens")
		case number && len(label) > 1 && label[0] == '0':
			return b, syntax(NuGet, text, "a number of the pre-release has a leading zero")
		}
		if value, ok := nugetInt(label); ok {
			key = appendUint(append(key, nugetNumber), uint64(value-math.MinInt32))
		} else {
			key = append(appendLower(append(key, nugetWord), label), nugetEnd)
		}
	}
	return append(key, nugetEnd), nil
}

// nugetInt reads a label as a signed number of 32 bits.
func nugetInt(label string) (value int64, ok bool) {
	number, negative := strings.CutPrefix(label, "-")
	if !isNumber(number) {
		return 0, false
	}
	for i := range len(number) {
		if value = value*10 + int64(number[i]-'0'); value > math.MaxInt32+1 {
			return 0, false
		}
	}
	if negative {
		return -value, true
	}
	return value, value <= math.MaxInt32
}
