package version

import (
	"cmp"
	"strings"
)

// The bytes of a deb key. All of them are printable ASCII, so that a key survives every column, document and log; a
// database must compare them by byte ("C" or binary collation).
//
// A key is the epoch as a number, then upstream version and revision as parts. A part is a sequence of (characters,
// debEnd, number), closed by one more debEnd; no part's key is the beginning of another's. The order of the bytes is
// tilde < end < letters < everything else, as in deb-version(7).
const debEnd = '%'

// debBytes has for each byte what stands for it in a key, debEnd for a digit, since that ends a run of characters, and
// debRefused for what may stand nowhere.
const (
	debBytes = "                                " +
		"           { |} " + // + - .
		"%%%%%%%%%%~     " + // digits, colon
		" ABCDEFGHIJKLMNO" +
		"PQRSTUVWXYZ     " +
		" abcdefghijklmno" +
		"pqrstuvwxyz   ! " + // tilde
		"                                                                " +
		"                                                                "
	debRefused = ' '
)

// debClasses has for each byte '0' if it says nothing of where a version is split, '1' for a colon and a hyphen, and debOther,
// a bit that these do not have, for what may stand nowhere.
const (
	debClasses = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@0@10@00000000001@@@@@" +
		"@00000000000000000000000000@@@@@@00000000000000000000000000@@@0@" +
		"@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@" +
		"@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
	debOther = '@'
)

// debParts are the parts of a Debian version: the epoch is a number, and both a missing epoch and a missing revision are zero.
type debParts struct{ epoch, upstream, revision string }

// splitDeb splits a Debian version. It accepts what `dpkg --validate-version` accepts without a warning, but no blanks around
// the version and no sign before the epoch.
func splitDeb(text string) (debParts, error) {
	classes := byte(0)
	for i := range len(text) {
		classes |= debClasses[text[i]]
	}
	v := debParts{epoch: "0", upstream: text, revision: "0"}
	switch {
	case classes == '0':
	case classes >= debOther:
		return splitDebSlowly(text)
	default:
		if i := strings.IndexByte(text, ':'); i >= 0 {
			const short = 9 // digits, which always fit
			if v.epoch, v.upstream = text[:i], text[i+1:]; i > short || !isNumber(v.epoch) {
				return splitDebSlowly(text)
			}
		}
		if i := strings.LastIndexByte(v.upstream, '-'); i >= 0 {
			v.upstream, v.revision = v.upstream[:i], v.upstream[i+1:]
			if v.revision == "" || strings.IndexByte(v.revision, ':') >= 0 {
				return splitDebSlowly(text)
			}
		}
	}
	if v.upstream == "" || !isDigit(v.upstream[0]) {
		return splitDebSlowly(text)
	}
	return v, nil
}

// splitDebSlowly is splitDeb one question after the other, which tells what is wrong first.
func splitDebSlowly(text string) (debParts, error) {
	if text == "" {
		return debParts{}, syntax(Deb, text, "it is empty")
	}
	v := debParts{epoch: "0", upstream: text, revision: "0"}
	if i := strings.IndexByte(text, ':'); i >= 0 {
		const maxEpoch = 1<<31 - 1 // dpkg keeps it in an int
		v.epoch, v.upstream = text[:i], text[i+1:]
		if v.epoch == "" {
			return debParts{}, syntax(Deb, text, "the epoch is empty")
		}
		if why := badEpoch(v.epoch, maxEpoch); why != "" {
			return debParts{}, syntax(Deb, text, why)
		}
	}
	if i := strings.LastIndexByte(v.upstream, '-'); i >= 0 {
		v.upstream, v.revision = v.upstream[:i], v.upstream[i+1:]
		if v.revision == "" {
			return debParts{}, syntax(Deb, text, "the revision is empty")
		}
	}
	if v.upstream == "" {
		return debParts{}, syntax(Deb, text, "the upstream version is empty")
	}
	if !isDigit(v.upstream[0]) {
		return debParts{}, syntax(Deb, text, "the upstream version does not start with a digit")
	}
	for i := range len(v.upstream) {
		if debBytes[v.upstream[i]] == debRefused {
			return debParts{}, syntax(Deb, text, "the upstream version has a character other than letters, digits and . + - ~ :")
		}
	}
	for i := range len(v.revision) {
		if c := v.revision[i]; debBytes[c] == debRefused || c == ':' {
			return debParts{}, syntax(Deb, text, "the revision has a character other than letters, digits and . + ~")
		}
	}
	return v, nil
}

// appendDeb appends the key of a Debian version.
func appendDeb(b []byte, text string) ([]byte, error) {
	v, err := splitDeb(text)
	if err != nil {
		return b, err
	}
	key, _ := appendNumber(b, v.epoch)
	return appendDebPart(appendDebPart(key, v.upstream), v.revision), nil
}

func appendDebPart(key []byte, part string) []byte {
	for part != "" {
		i := 0
		for ; i < len(part); i++ {
			c := debBytes[part[i]]
			if c == debEnd {
				break
			}
			key = append(key, c)
		}
		key, part = appendNumber(append(key, debEnd), part[i:])
	}
	return append(key, debEnd)
}

// compareDeb compares as the keys do, without building them.
func compareDeb(a, b string) (int, error) {
	x, err := splitDeb(a)
	if err != nil {
		return 0, err
	}
	y, err := splitDeb(b)
	if err != nil {
		return 0, err
	}
	if c, _, _ := compareNumbers(x.epoch, y.epoch); c != 0 {
		return c, nil
	}
	if c := compareDebParts(x.upstream, y.upstream); c != 0 {
		return c, nil
	}
	return compareDebParts(x.revision, y.revision), nil
}

func compareDebParts(a, b string) int {
	// What both begin with is equal, but for a number that may go on.
	start := common(a, b)
	for start > 0 && isDigit(a[start-1]) {
		start--
	}
	a, b = a[start:], b[start:]
	for a != "" || b != "" {
		i := 0
		for {
			x, y := debByte(a, i), debByte(b, i)
			if x != y {
				return cmp.Compare(x, y)
			}
			if x == debEnd {
				break
			}
			i++
		}
		var c int
		if c, a, b = compareNumbers(a[i:], b[i:]); c != 0 {
			return c
		}
	}
	return 0
}

// debByte returns what stands for the byte at i in a key; behind the end stands what ends a run of characters.
func debByte(part string, i int) byte {
	if i < len(part) {
		return debBytes[part[i]]
	}
	return debEnd
}
