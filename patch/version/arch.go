package version

import "strings"

// Arch is the order of pacman's vercmp(8): [epoch:]pkgver-pkgrel. The pkgrel is required: vercmp compares it only if both sides
// have one, so that 1.5 would equal both 1.5-1 and 1.5-2, and there would be no order. For the same reason neither pkgver nor
// pkgrel may end with a separator.
const Arch Scheme = "arch"

// The bytes of an arch key: the epoch as a number, then pkgver and pkgrel as parts, each a sequence of segments of letters or
// digits, closed by archEnd. Before each segment stands how it follows: letters at once, which are older than nothing
// ("1.0rc" < "1.0"), digits at once, or after so many separators, of which more are newer.
const (
	archLetters = '!' // at once, or behind archAfter and the count
	archEnd     = '%' // also of a segment of letters, so that the shorter of two comes first
	archDigits  = '&'
	archAfter   = '('
)

func appendArch(b []byte, text string) ([]byte, error) {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f {
			return b, syntax(Arch, text, "it has a blank, a control character, or one beyond ASCII")
		}
	}
	epoch, rest, found := strings.Cut(text, ":")
	if !found {
		epoch, rest = "0", text
	}
	if !isNumber(epoch) {
		return b, syntax(Arch, text, "the epoch is no number")
	}
	ver, rel, found := strings.Cut(rest, "-")
	switch {
	case !found:
		return b, syntax(Arch, text, "there is no pkgrel, and without one there is no order")
	case ver == "" || rel == "" || strings.Contains(rel, "-") || strings.Contains(rest, ":"):
		return b, syntax(Arch, text, "want [epoch:]pkgver-pkgrel, none of them empty")
	case !isAlphanumeric(ver[len(ver)-1]) || !isAlphanumeric(rel[len(rel)-1]):
		return b, syntax(Arch, text, "pkgver or pkgrel ends with a separator")
	}
	key, _ := appendNumber(b, epoch)
	return appendArchPart(appendArchPart(key, ver), rel), nil
}

func appendArchPart(key []byte, part string) []byte {
	for part != "" {
		between := 0
		for !isAlphanumeric(part[between]) {
			between++
		}
		if part = part[between:]; between > 0 {
			key = appendCount(append(key, archAfter), between)
		}
		if isDigit(part[0]) {
			key, part = appendNumber(append(key, archDigits), part)
			continue
		}
		end := 1
		for end < len(part) && isLetter(part[end]) {
			end++
		}
		key = append(append(append(key, archLetters), part[:end]...), archEnd)
		part = part[end:]
	}
	return append(key, archEnd)
}

func isAlphanumeric(c byte) bool { return isDigit(c) || isLetter(c) }
