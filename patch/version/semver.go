package version

import "strings"

// SemVer is the order of semantic versions, and its grammar to the letter: semver.org 2.0.0. What follows a plus sign must be
// well formed, but does not count. Take it where the publisher promises semantic versions: crates, npm packages, Helm
// charts.
const SemVer Scheme = "semver"

// SemVerLenient is the order of [SemVer] for texts that people write: blanks, then "v" or "=" before it, leading zeros, and
// any count of numbers, of which missing ones are zero: " v1.2" equals "1.2.0". What follows a plus sign is not looked at. A
// pre-release still needs its hyphen: "1.2rc1" is no version. Take it for tags and for advisories about semantic versions,
// such as Go modules'.
//
// [Loose] goes further, and is for products whose versions only look semantic.
const SemVerLenient Scheme = "semver-lenient"

// The bytes of the keys of both, all printable as in a deb key. A key is the numbers (three, or in the lenient scheme those up
// to the last that is not zero, each behind semverNumber, and semverEnd), then for a release semverRelease, and for a
// pre-release its identifiers and semverEnd. Numbers stand before words.
const (
	semverEnd     = '!' // closes a word, too
	semverNumber  = '#'
	semverWord    = '$'
	semverRelease = '~'
)

func appendSemVer(b []byte, text string) ([]byte, error) {
	key, rest := b, text
	for i := range 3 {
		if i > 0 {
			var dot bool
			if rest, dot = strings.CutPrefix(rest, "."); !dot {
				return b, syntax(SemVer, text, "want three numbers, parted by dots")
			}
		}
		n := digits(rest)
		switch {
		case n == 0:
			return b, syntax(SemVer, text, "want three numbers, parted by dots")
		case n > 1 && rest[0] == '0':
			return b, syntax(SemVer, text, "a number has leading zeros")
		}
		key, rest = appendNumber(key, rest)
	}
	if rest != "" && rest[0] != '-' && rest[0] != '+' {
		return b, syntax(SemVer, text, "want three numbers, then a hyphen, a plus sign or nothing")
	}
	key, why := appendSemVerTail(key, rest, true)
	if why != "" {
		return b, syntax(SemVer, text, why)
	}
	return key, nil
}

func appendSemVerLenient(b []byte, text string) ([]byte, error) {
	key, rest := b, strings.TrimLeft(text, " ")
	if rest != "" && (rest[0] == 'v' || rest[0] == 'V' || rest[0] == '=') {
		rest = strings.TrimLeft(rest[1:], " ")
	}
	end := len(key) // of the last number that is not zero
	for {
		n := digits(rest)
		if n == 0 {
			return b, syntax(SemVerLenient, text, "a number is missing")
		}
		zero := strings.Trim(rest[:n], "0") == ""
		key, rest = appendNumber(append(key, semverNumber), rest)
		if !zero {
			end = len(key)
		}
		var dot bool
		if rest, dot = strings.CutPrefix(rest, "."); !dot {
			break
		}
	}
	key, why := appendSemVerTail(append(key[:end], semverEnd), rest, false)
	if why != "" {
		return b, syntax(SemVerLenient, text, why)
	}
	return key, nil
}

// appendSemVerTail appends what follows after the numbers, and says what is wrong with it. Strict is to have no leading zeros,
// and to look at what does not count.
func appendSemVerTail(key []byte, tail string, strict bool) (_ []byte, why string) {
	tail, build, built := strings.Cut(tail, "+")
	for more := built && strict; more; {
		var id string
		id, build, more = strings.Cut(build, ".")
		if _, ok := semverIdentifier(id); !ok {
			return key, "the build metadata has an identifier that is none: letters, digits and hyphens"
		}
	}
	if tail == "" {
		return append(key, semverRelease), ""
	}
	pre, more := strings.CutPrefix(tail, "-")
	if !more {
		return key, "neither a hyphen nor a plus sign follows the numbers"
	}
	if pre == "" {
		return key, "the pre-release is empty"
	}
	for more {
		var id string
		id, pre, more = strings.Cut(pre, ".")
		number, ok := semverIdentifier(id)
		switch {
		case !ok:
			return key, "the pre-release has an identifier that is none: letters, digits and hyphens"
		case !number:
			key = append(append(append(key, semverWord), id...), semverEnd)
		case strict && len(id) > 1 && id[0] == '0':
			return key, "a number of the pre-release has a leading zero"
		default:
			key, _ = appendNumber(append(key, semverNumber), id)
		}
	}
	return append(key, semverEnd), ""
}

// semverIdentifier says whether id is an identifier, and a number.
func semverIdentifier(id string) (number, ok bool) {
	number = true
	for _, c := range []byte(id) {
		switch {
		case isDigit(c):
		case isLetter(c) || c == '-':
			number = false
		default:
			return false, false
		}
	}
	return number, id != ""
}
