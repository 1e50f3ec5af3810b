package version

import (
	"cmp"
	"strings"
)

// RPM is the order of rpm: epoch, version, release, as rpm-version(7) describes it and rpmvercmp compares them. A missing
// epoch is zero; a missing release is older than every release, as it is for rpm itself.
const RPM Scheme = "rpm"

// The bytes of an rpm key. The key is the epoch as a number, then version and release as parts, each closed by rpmEnd: of a
// part the segments, of which separators are no part. The order of the bytes is no release < tilde < end < caret < letters <
// digits.
const (
	rpmNone   = '!' // in the place of a release
	rpmTilde  = '"'
	rpmEnd    = '%' // also of a segment of letters, so that the shorter of two comes first
	rpmCaret  = '&'
	rpmLetter = '('
	rpmNumber = ')'
)

// rpmClasses has for each byte what begins a segment with it in a key, a blank for a separator, and rpmRefused for what may
// stand nowhere.
const (
	rpmClasses = "@@@@@@@@@@@@@@@@" +
		"@@@@@@@@@@@@@@@@" +
		"@               " + // ASCII's blank and punctuation
		"))))))))))      " + // digits
		" (((((((((((((((" + // A to O
		"(((((((((((   & " + // P to Z, caret
		" (((((((((((((((" + // a to o
		"(((((((((((   \"@" + // p to z, tilde, delete
		"                                                                " +
		"                                                                "
	rpmSeparator = ' '
	rpmRefused   = '@' // a bit that no other class has
)

// rpmParts are the parts of an rpm version: the epoch is a number, the release is empty only if there is none.
type rpmParts struct{ epoch, version, release string }

// splitRPM splits [epoch:]version[-release]. Every byte but blanks and control characters may stand in it, as rpm itself
// takes what it does not know for a separator.
func splitRPM(text string) (rpmParts, error) {
	classes := byte(0)
	for i := range len(text) {
		classes |= rpmClasses[text[i]]
	}
	if classes&rpmRefused != 0 {
		return rpmParts{}, syntax(RPM, text, "it has a blank or a control character")
	}
	v := rpmParts{epoch: "0", version: text}
	more := false // colons after the epoch
	if i := strings.IndexByte(text, ':'); i >= 0 {
		const maxEpoch = 1<<32 - 1 // rpm keeps it in 32 bits
		v.epoch, v.version = text[:i], text[i+1:]
		if why := badEpoch(v.epoch, maxEpoch); why != "" {
			return rpmParts{}, syntax(RPM, text, why)
		}
		more = strings.IndexByte(v.version, ':') >= 0
	}
	if i := strings.IndexByte(v.version, '-'); i >= 0 {
		v.version, v.release = v.version[:i], v.version[i+1:]
		more = more || strings.IndexByte(v.release, '-') >= 0
		if v.version != "" && v.release == "" {
			return rpmParts{}, syntax(RPM, text, "the release is empty")
		}
	}
	switch {
	case v.version == "":
		return rpmParts{}, syntax(RPM, text, "the version is empty")
	case more:
		return rpmParts{}, syntax(RPM, text, "it has more than one hyphen, or a colon after the epoch")
	}
	return v, nil
}

// appendRPM appends the key of an rpm version.
func appendRPM(b []byte, text string) ([]byte, error) {
	v, err := splitRPM(text)
	if err != nil {
		return b, err
	}
	key, _ := appendNumber(b, v.epoch)
	key = appendRPMPart(key, v.version)
	if v.release == "" {
		return append(key, rpmNone), nil
	}
	return appendRPMPart(key, v.release), nil
}

func appendRPMPart(key []byte, part string) []byte {
	for part != "" {
		switch class := rpmClasses[part[0]]; class {
		case rpmNumber:
			key, part = appendNumber(append(key, rpmNumber), part)
		case rpmLetter:
			end := 1
			for end < len(part) && rpmClasses[part[end]] == rpmLetter {
				end++
			}
			key = append(append(append(key, rpmLetter), part[:end]...), rpmEnd)
			part = part[end:]
		case rpmSeparator:
			part = part[1:]
		default:
			key, part = append(key, class), part[1:]
		}
	}
	return append(key, rpmEnd)
}

// compareRPM compares as the keys do, without building them.
func compareRPM(a, b string) (int, error) {
	x, err := splitRPM(a)
	if err != nil {
		return 0, err
	}
	y, err := splitRPM(b)
	if err != nil {
		return 0, err
	}
	if c, _, _ := compareNumbers(x.epoch, y.epoch); c != 0 {
		return c, nil
	}
	if c := compareRPMParts(x.version, y.version); c != 0 {
		return c, nil
	}
	switch {
	case x.release == "" && y.release == "":
		return 0, nil
	case x.release == "":
		return -1, nil
	case y.release == "":
		return 1, nil
	}
	return compareRPMParts(x.release, y.release), nil
}

func compareRPMParts(a, b string) int {
	// Segments with which both begin are equal.
	start := common(a, b)
	for start > 0 && isAlnum(a[start-1]) {
		start--
	}
	a, b = a[start:], b[start:]
	for {
		var x, y byte
		x, a = rpmSegment(a)
		y, b = rpmSegment(b)
		c := cmp.Compare(x, y)
		switch {
		case c != 0 || x == rpmEnd:
			return c
		case x == rpmNumber:
			c, a, b = compareNumbers(a, b)
		case x == rpmLetter:
			c, a, b = compareLetters(a, b)
		default:
			a, b = a[1:], b[1:]
		}
		if c != 0 {
			return c
		}
	}
}

// rpmSegment returns what begins the next segment of part in a key, and part from that segment on.
func rpmSegment(part string) (class byte, rest string) {
	for i := range len(part) {
		if class := rpmClasses[part[i]]; class != rpmSeparator {
			return class, part[i:]
		}
	}
	return rpmEnd, ""
}
