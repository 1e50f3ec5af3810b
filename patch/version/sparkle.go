package version

import (
	"math"
	"strings"
)

// Sparkle is the order of Sparkle, which updates many applications of macOS: its SUStandardVersionComparator. A version is numbers
// that are parted by dots, of which missing ones are zero, and then words, numbers and separators (blanks, and punctuation,
// which are all the same). A word is older than the end, so that 1.0b1 is older than 1.0; everything else is newer, so that 1.0
// (2) is newer than 1.0. What follows a hyphen does not count.
//
// Sparkle's comparison is an order only for versions with a regular beginning. So a hyphen or dot at the beginning and two dots
// within its numbers are refused; and because Unicode is left to Apple's libraries there, control characters and what is not ASCII,
// unless it does not count. A number beyond 63 bits counts as the greatest one that has them, as it does for Sparkle.
const Sparkle Scheme = "sparkle"

// The bytes of a sparkle key: the numbers up to the last that is not zero, sparkleEnd, and the rest, in which sparkleEnd closes a
// word, and sparkleRelease the whole.
const (
	sparkleEnd       = '!'
	sparkleWord      = '"'
	sparkleRelease   = '#'
	sparkleSeparator = '$'
	sparkleNumber    = '%'
)

func appendSparkle(b []byte, text string) ([]byte, error) {
	rest, _, _ := strings.Cut(text, "-")
	for i := range len(rest) {
		if c := rest[i]; c < ' ' || c >= 0x7f {
			return b, syntax(Sparkle, text, "it has a control character, or one beyond ASCII")
		}
	}
	if rest == "" || rest[0] == '.' {
		return b, syntax(Sparkle, text, "it is empty, or starts with a hyphen or a dot")
	}
	key, end := b, len(b) // end is that of the last number that is not zero
	for isDigit(rest[0]) {
		number := rest[:digits(rest)]
		if key = appendSparkleNumber(key, number); strings.Trim(number, "0") != "" {
			end = len(key)
		}
		if rest = strings.TrimPrefix(rest[len(number):], "."); rest == "" {
			break
		}
		if rest[0] == '.' {
			return b, syntax(Sparkle, text, "it has two dots within its numbers")
		}
	}
	key = append(key[:end], sparkleEnd)
	for rest != "" {
		n := 1
		switch c := rest[0]; {
		case isDigit(c):
			n = digits(rest)
			key = appendSparkleNumber(key, rest[:n])
		case isSparkleSeparator(c):
			key = append(key, sparkleSeparator)
		default:
			for n < len(rest) && !isDigit(rest[n]) && !isSparkleSeparator(rest[n]) {
				n++
			}
			key = append(append(append(key, sparkleWord), rest[:n]...), sparkleEnd)
		}
		rest = rest[n:]
	}
	return append(key, sparkleRelease), nil
}

// isSparkleSeparator says whether c is a blank, or punctuation by Unicode, which $, +, <, =, >, ^, ` and | are not, nor is the tilde.
func isSparkleSeparator(c byte) bool {
	return strings.IndexByte(` !"#%&'()*,./:;?@[\]_{}`, c) >= 0
}

func appendSparkleNumber(key []byte, number string) []byte {
	value := uint64(0)
	for _, c := range []byte(number) {
		if value > math.MaxInt64/10 {
			value = math.MaxInt64
			break
		}
		value = min(value*10+uint64(c-'0'), math.MaxInt64)
	}
	return appendUint(append(key, sparkleNumber), value)
}
