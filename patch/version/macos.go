package version

import "strings"

// MacOS is the order of the versions of Apple's systems as they are sold: one to four numbers, of which missing ones are zero,
// and the letter of a Rapid Security Response (a Background Security Improvement since 2026): "13.4.1 (a)", also written
// without the blank, is newer than 13.4.1 and older than 13.4.2 and than "13.4.1 (c)".
const MacOS Scheme = "macos"

// MacOSBuild is the order of the builds of one of Apple's systems, on one model: "25G83" is the train, its letter, and a number,
// compared in this order. It rests on what Apple has published so far:
//
//   - A small letter at the end marks a beta. A fourth digit at the front then tells where it was built, and does not count:
//     20A4299v, 20A5299w, 20A4300b and 20A5323l followed one another. A beta is older than the build of its number without a letter:
//     23A5337a, 23A339.
//   - Six digits that begin with 77, and a small letter, are a rapid response: 22F770820b is one to 22F82, 25D771280a one to
//     25D2128. It is newer than all other builds of its train and letter, as Apple has only made them for the last one.
//
// Where a fourth digit marks a build for new models only, other models have other numbers, and the order between them means nothing:
// 23B2082 is macOS 14.1.1, 23B92 is 14.1.2. Compare builds of one model, or versions by [MacOS]. Other forms
// with a small letter are refused, and so are numbers with a leading zero, which feeds write for want of a build ("26A000").
const MacOSBuild Scheme = "macos-build"

const (
	macosNoLetter = '!' // in the place of a response
	macosRelease  = '~' // in the place of the letter of a beta
)

func appendMacOS(b []byte, text string) ([]byte, error) {
	numbers, response := text, byte(macosNoLetter)
	if i := strings.IndexByte(text, '('); i >= 0 {
		letter := text[i:]
		if len(letter) != 3 || letter[1] < 'a' || letter[1] > 'z' || letter[2] != ')' {
			return b, syntax(MacOS, text, "want one small letter between the brackets at its end")
		}
		numbers, response = strings.TrimSuffix(text[:i], " "), letter[1]
	}
	key, n := b, 0
	for part := range strings.SplitSeq(numbers, ".") {
		if n++; n > 4 || !isNumber(part) {
			return b, syntax(MacOS, text, "want at most four numbers, parted by dots")
		}
		key, _ = appendNumber(key, part)
	}
	for ; n < 4; n++ {
		key, _ = appendNumber(key, "0")
	}
	return append(key, response), nil
}

func appendMacOSBuild(b []byte, text string) ([]byte, error) {
	n := digits(text)
	train, rest := text[:n], text[n:]
	if n == 0 || rest == "" || rest[0] < 'A' || rest[0] > 'Z' {
		return b, syntax(MacOSBuild, text, "want a number and a capital letter at its beginning")
	}
	letter := rest[0]
	n = digits(rest[1:])
	number, last := rest[1:1+n], rest[1+n:]
	if n == 0 || number[0] == '0' || train[0] == '0' {
		return b, syntax(MacOSBuild, text, "want numbers without leading zeros before and after the capital letter")
	}
	kind := byte(macosRelease)
	switch {
	case last == "":
	case len(last) > 1 || last[0] < 'a' || last[0] > 'z':
		return b, syntax(MacOSBuild, text, "want one small letter at its end, or none")
	case n == 4:
		number, kind = number[1:], last[0]
	case n < 4 || n == 6 && number[:2] == "77":
		kind = last[0]
	default:
		return b, syntax(MacOSBuild, text, "it has a number of unknown form before a small letter")
	}
	key, _ := appendNumber(b, train)
	key, _ = appendNumber(append(key, letter), number)
	return append(key, kind), nil
}
