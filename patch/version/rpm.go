package version

import (
	"strconv"
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

// appendRPM appends the key of [epoch:]version[-release]. Every byte but blanks and control characters may stand in it, as
// rpm itself takes what it does not know for a separator.
func appendRPM(b []byte, text string) ([]byte, error) {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == 0x7f {
			return b, syntax(RPM, text, "it has a blank or a control character")
		}
	}
	epoch, rest, found := strings.Cut(text, ":")
	if !found {
		epoch, rest = "0", text
	}
	if !isNumber(epoch) {
		return b, syntax(RPM, text, "the epoch is no number")
	}
	if _, err := strconv.ParseUint(epoch, 10, 32); err != nil { // rpm keeps it in 32 bits
		return b, syntax(RPM, text, "the epoch is too big")
	}
	ver, release, released := strings.Cut(rest, "-")
	switch {
	case ver == "":
		return b, syntax(RPM, text, "the version is empty")
	case released && release == "":
		return b, syntax(RPM, text, "the release is empty")
	case strings.ContainsAny(release, "-:") || strings.Contains(ver, ":"):
		return b, syntax(RPM, text, "it has more than one hyphen, or a colon after the epoch")
	}
	key, _ := appendNumber(b, epoch)
	key = appendRPMPart(key, ver)
	if !released {
		return append(key, rpmNone), nil
	}
	return appendRPMPart(key, release), nil
}

func appendRPMPart(key []byte, part string) []byte {
	for part != "" {
		switch c := part[0]; {
		case isDigit(c):
			key, part = appendNumber(append(key, rpmNumber), part)
			continue
		case isLetter(c):
			end := 1
			for end < len(part) && isLetter(part[end]) {
				end++
			}
			key = append(append(append(key, rpmLetter), part[:end]...), rpmEnd)
			part = part[end:]
			continue
		case c == '~':
			key = append(key, rpmTilde)
		case c == '^':
			key = append(key, rpmCaret)
		}
		part = part[1:]
	}
	return append(key, rpmEnd)
}
