package version

import "strings"

// PEP440 is the order of Python's packages: epoch, numbers, pre-release, post-release, development release and local version, with
// all spellings that PEP 440 normalises ("v1.0-Alpha_1" is 1.0a1), as the library packaging reads and compares them. Blanks around a
// version are allowed. Versions of the time before PEP 440 ("0.1-bulbasaur") are refused, as they are there.
const PEP440 Scheme = "pep440"

// The bytes of a pep440 key: the epoch, the numbers up to the last that is not zero, pepEnd; then pre-release, post-release,
// development release and local version, each with its number or what stands in its place.
const (
	pepEnd      = '!'
	pepNumber   = '%'
	pepWord     = '$' // of a local version, where words are older than numbers
	pepNone     = '!' // no post-release, no local version; no pre-release, but a development release only: older than any
	pepFinal    = '~' // no pre-release, no development release: newer than any
	pepPossible = '#' // a local version
)

const pepBlanks = " \t\n\v\f\r"

func appendPEP440(b []byte, text string) ([]byte, error) {
	rest := strings.Trim(text, pepBlanks)
	if rest != "" && (rest[0] == 'v' || rest[0] == 'V') {
		rest = rest[1:]
	}
	epoch := "0"
	if n := digits(rest); n > 0 && n < len(rest) && rest[n] == '!' {
		epoch, rest = rest[:n], rest[n+1:]
	}
	key, _ := appendNumber(b, epoch)
	end := len(key) // of the last number that is not zero
	for {
		n := digits(rest)
		if n == 0 {
			return b, syntax(PEP440, text, "want numbers, parted by dots")
		}
		if key, _ = appendNumber(append(key, pepNumber), rest); strings.Trim(rest[:n], "0") != "" {
			end = len(key)
		}
		if rest = rest[n:]; len(rest) < 2 || rest[0] != '.' || !isDigit(rest[1]) {
			break
		}
		rest = rest[1:]
	}
	key = append(key[:end], pepEnd)

	pre, preNumber, rest := pepPart(rest, pepPre)
	post, postNumber := byte(0), ""
	if len(rest) > 1 && rest[0] == '-' && isDigit(rest[1]) { // 1.0-1 is 1.0.post1
		post, postNumber, rest = 'p', rest[1:1+digits(rest[1:])], rest[1+digits(rest[1:]):]
	} else {
		post, postNumber, rest = pepPart(rest, pepPost)
	}
	dev, devNumber, rest := pepPart(rest, pepDev)

	switch {
	case pre != 0:
		key, _ = appendNumber(append(key, pre), preNumber)
	case post == 0 && dev != 0:
		key = append(key, pepNone)
	default:
		key = append(key, pepFinal)
	}
	if post != 0 {
		key, _ = appendNumber(append(key, pepNumber), postNumber)
	} else {
		key = append(key, pepNone)
	}
	if dev != 0 {
		key, _ = appendNumber(append(key, pepNumber), devNumber)
	} else {
		key = append(key, pepFinal)
	}
	if rest == "" {
		return append(key, pepNone), nil
	}
	local, found := strings.CutPrefix(rest, "+")
	if !found {
		return b, syntax(PEP440, text, "there is something after its end")
	}
	key, ok := appendPEP440Local(append(key, pepPossible), local)
	if !ok {
		return b, syntax(PEP440, text, "the local version has a part that is none: letters and digits")
	}
	return key, nil
}

// The spellings of each kind of part, longer ones first, and a letter for each in the order of their ranks.
const (
	pepPre  = "alpha=a preview=r beta=b pre=r rc=r a=a b=b c=r"
	pepPost = "post=p rev=p r=p"
	pepDev  = "dev=d"
)

// pepPart reads a part of one kind from the beginning of rest: a separator, its word, a separator, a number, of which only the word
// is needed. Its letter is zero if there is none.
func pepPart(rest, words string) (letter byte, number, after string) {
	at := rest
	if at != "" && strings.IndexByte("-_.", at[0]) >= 0 {
		at = at[1:]
	}
	for words != "" {
		var word string
		word, words, _ = strings.Cut(words, " ")
		name, as := word[:len(word)-2], word[len(word)-1]
		if len(at) < len(name) || !equalASCII(at[:len(name)], name) {
			continue
		}
		at = at[len(name):]
		if at != "" && strings.IndexByte("-_.", at[0]) >= 0 {
			at = at[1:]
		}
		n := digits(at)
		return as, at[:n], at[n:]
	}
	return 0, "", rest
}

// appendPEP440Local appends a local version: its parts, numbers before words, and pepEnd.
func appendPEP440Local(key []byte, local string) ([]byte, bool) {
	for more := true; more; {
		n := 0
		for n < len(local) && isAlphanumeric(local[n]) {
			n++
		}
		part := local[:n]
		if more = n < len(local); more {
			if strings.IndexByte("-_.", local[n]) < 0 {
				return key, false
			}
			local = local[n+1:]
		}
		switch {
		case part == "":
			return key, false
		case isNumber(part):
			key, _ = appendNumber(append(key, pepNumber), part)
		default:
			key = append(appendLower(append(key, pepWord), part), pepEnd)
		}
	}
	return append(key, pepEnd), true
}

// equalASCII says whether text is word, which is in lower case, in whatever case of ASCII.
func equalASCII(text, word string) bool {
	for i := range len(text) {
		if lower(text[i]) != word[i] {
			return false
		}
	}
	return true
}

// appendLower appends text in lower case.
func appendLower(key []byte, text string) []byte {
	for i := range len(text) {
		key = append(key, lower(text[i]))
	}
	return key
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
