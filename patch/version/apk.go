package version

import "strings"

// APK is the order of Alpine's apk-tools 3: numbers parted by dots, a letter, suffixes (_alpha, _p1 ...), a commit hash (~1a2b)
// and a revision (-r1), all but the first number optional, as apk-package(5) describes it.
const APK Scheme = "apk"

// The bytes of an apk key. Before what follows in a version stands what kind of thing that is, in the order in which apk ranks
// kinds at the same place: a suffix of a pre-release is older than the end of the version, everything else is newer.
const (
	apkPre      = '!'
	apkEnd      = '%'
	apkRevision = '&'
	apkHash     = '('
	apkCount    = ')' // the number of a suffix
	apkPost     = '*'
	apkLetter   = '+'
	apkNumber   = ','
	// A number with a leading zero compares as text, and is less than every other one. The first number of a version is
	// always a number.
	apkText   = '!'
	apkDigits = '"'
)

func appendAPK(b []byte, text string) ([]byte, error) {
	digits, rest := leading(text, isDigit)
	if digits == "" {
		return b, syntax(APK, text, "it does not start with a digit")
	}
	key, _ := appendNumber(b, digits)
	for rest != "" && rest[0] == '.' {
		if digits, rest = leading(rest[1:], isDigit); digits == "" {
			return b, syntax(APK, text, "want a number after a dot")
		}
		if key = append(key, apkNumber); digits[0] == '0' {
			key = append(append(append(key, apkText), digits...), apkText)
			continue
		}
		key, _ = appendNumber(append(key, apkDigits), digits)
	}
	if rest != "" && 'a' <= rest[0] && rest[0] <= 'z' {
		key = append(key, apkLetter, rest[0])
		rest = rest[1:]
	}
	for rest != "" && rest[0] == '_' {
		var word string
		word, rest = leading(rest[1:], isLetter)
		rank := strings.Index("alpha  beta   pre    rc     ", word+" ")
		kind := byte(apkPre)
		if rank < 0 || word == "" {
			rank, kind = strings.Index("cvs    svn    git    hg     p      ", word+" "), apkPost
		}
		if rank%7 != 0 || word == "" {
			return b, syntax(APK, text, "it has a suffix that apk does not know")
		}
		key = append(key, kind, byte('0'+rank/7))
		if digits, rest = leading(rest, isDigit); digits != "" {
			key, _ = appendNumber(append(key, apkCount), digits)
		}
	}
	if rest != "" && rest[0] == '~' {
		var hash string
		hash, rest = leading(rest[1:], func(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' })
		if hash == "" {
			return b, syntax(APK, text, "want a commit hash after the tilde")
		}
		key = append(append(append(key, apkHash), hash...), apkEnd)
	}
	if after, found := strings.CutPrefix(rest, "-r"); found {
		if digits, rest = leading(after, isDigit); digits == "" {
			return b, syntax(APK, text, "want a number after -r")
		}
		key, _ = appendNumber(append(key, apkRevision), digits)
	}
	if rest != "" {
		return b, syntax(APK, text, "there is something after its end")
	}
	return append(key, apkEnd), nil
}

// leading parts text after the characters at its beginning that are in a set.
func leading(text string, in func(byte) bool) (head, rest string) {
	n := 0
	for n < len(text) && in(text[n]) {
		n++
	}
	return text[:n], text[n:]
}
