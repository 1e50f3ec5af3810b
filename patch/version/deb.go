package version

import "strings"

// The bytes of a deb key. All of them are printable ASCII, so that a key survives every column, document and log; a
// database must compare them by byte ("C" or binary collation).
//
// A key is the epoch as a number, then upstream version and revision as parts. A part is a sequence of (characters,
// debEnd, number), closed by one more debEnd; no part's key is the beginning of another's. The order of the bytes is
// tilde < end < letters < everything else, as in deb-version(7).
const (
	debTilde = '!'
	debEnd   = '%'
)

// appendDeb appends the key of a Debian version. It accepts what `dpkg --validate-version` accepts without a warning, but
// no blanks around the version and no sign before the epoch.
func appendDeb(b []byte, text string) ([]byte, error) {
	key := b
	if text == "" {
		return b, syntax(Deb, text, "it is empty")
	}
	rest := text
	epoch := "0"
	if i := strings.IndexByte(rest, ':'); i >= 0 {
		epoch, rest = rest[:i], rest[i+1:]
		if epoch == "" {
			return b, syntax(Deb, text, "the epoch is empty")
		}
		const maxEpoch = 1<<31 - 1 // dpkg keeps it in an int
		n := int64(0)
		for _, c := range []byte(epoch) {
			if !isDigit(c) {
				return b, syntax(Deb, text, "the epoch is no number")
			}
			if n = n*10 + int64(c-'0'); n > maxEpoch {
				return b, syntax(Deb, text, "the epoch is too big")
			}
		}
	}
	key, _ = appendNumber(key, epoch)

	upstream, revision := rest, "0"
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		upstream, revision = rest[:i], rest[i+1:]
		if revision == "" {
			return b, syntax(Deb, text, "the revision is empty")
		}
	}
	if upstream == "" {
		return b, syntax(Deb, text, "the upstream version is empty")
	}
	if !isDigit(upstream[0]) {
		return b, syntax(Deb, text, "the upstream version does not start with a digit")
	}
	var ok bool
	if key, ok = appendDebPart(key, upstream, true); !ok {
		return b, syntax(Deb, text, "the upstream version has a character other than letters, digits and . + - ~ :")
	}
	if key, ok = appendDebPart(key, revision, false); !ok {
		return b, syntax(Deb, text, "the revision has a character other than letters, digits and . + ~")
	}
	return key, nil
}

// appendDebPart appends an upstream version, in which hyphens and colons may stand, or a revision.
func appendDebPart(key []byte, part string, upstream bool) (_ []byte, ok bool) {
	for len(part) > 0 {
		i := 0
		for ; i < len(part) && !isDigit(part[i]); i++ {
			c := part[i]
			switch {
			case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			case c == '~':
				c = debTilde
			case c == '+':
				c = '{'
			case c == '-' && upstream:
				c = '|'
			case c == '.':
				c = '}'
			case c == ':' && upstream:
				c = '~'
			default:
				return key, false
			}
			key = append(key, c)
		}
		key = append(key, debEnd)
		key, part = appendNumber(key, part[i:])
	}
	return append(key, debEnd), true
}
