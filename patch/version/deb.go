package version

import (
	"fmt"
	"strings"
)

// The bytes of a deb key. All of them are printable ASCII, so that a key survives every column, document and log; a
// database must compare them by byte ("C" or binary collation).
//
// A key is the epoch as a number, then upstream version and revision as parts. A part is a sequence of (characters,
// debEnd, number), closed by one more debEnd; no part's key is the beginning of another's. The order of the bytes is
// tilde < end < letters < everything else, as in deb-version(7).
const (
	debTilde = '!'
	debEnd   = '%'
	// A number is its count of digits without leading zeros, then those digits. debDigits+n is the count n; for each
	// debDigitsMax digits beyond, debDigitsMore stands before it. So a longer number is a greater one, however long.
	debDigits     = '0'
	debDigitsMax  = 78
	debDigitsMore = debDigits + debDigitsMax
)

// appendDeb appends the key of a Debian version. It accepts what `dpkg --validate-version` accepts without a warning, but
// no blanks around the version and no sign before the epoch.
func appendDeb(b []byte, text string) ([]byte, error) {
	key := b
	if text == "" {
		return b, debSyntax(text, "it is empty")
	}
	rest := text
	epoch := "0"
	if i := strings.IndexByte(rest, ':'); i >= 0 {
		epoch, rest = rest[:i], rest[i+1:]
		if epoch == "" {
			return b, debSyntax(text, "the epoch is empty")
		}
		const maxEpoch = 1<<31 - 1 // dpkg keeps it in an int
		n := int64(0)
		for _, c := range []byte(epoch) {
			if !isDigit(c) {
				return b, debSyntax(text, "the epoch is no number")
			}
			if n = n*10 + int64(c-'0'); n > maxEpoch {
				return b, debSyntax(text, "the epoch is too big")
			}
		}
	}
	key, _ = appendDebNumber(key, epoch)

	upstream, revision := rest, "0"
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		upstream, revision = rest[:i], rest[i+1:]
		if revision == "" {
			return b, debSyntax(text, "the revision is empty")
		}
	}
	if upstream == "" {
		return b, debSyntax(text, "the upstream version is empty")
	}
	if !isDigit(upstream[0]) {
		return b, debSyntax(text, "the upstream version does not start with a digit")
	}
	var ok bool
	if key, ok = appendDebPart(key, upstream, true); !ok {
		return b, debSyntax(text, "the upstream version has a character other than letters, digits and . + - ~ :")
	}
	if key, ok = appendDebPart(key, revision, false); !ok {
		return b, debSyntax(text, "the revision has a character other than letters, digits and . + ~")
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
		key, part = appendDebNumber(key, part[i:])
	}
	return append(key, debEnd), true
}

// appendDebNumber appends the digits at the beginning of text, none being zero, and returns what follows them.
func appendDebNumber(key []byte, text string) ([]byte, string) {
	start := 0
	for start < len(text) && text[start] == '0' {
		start++
	}
	end := start
	for end < len(text) && isDigit(text[end]) {
		end++
	}
	n := end - start
	for ; n >= debDigitsMax; n -= debDigitsMax {
		key = append(key, debDigitsMore)
	}
	key = append(key, byte(debDigits+n))
	return append(key, text[start:end]...), text[end:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// debSyntax quotes the version, of a very long one only its beginning.
func debSyntax(text, why string) error {
	const most = 200
	if len(text) > most {
		return fmt.Errorf("version: deb %q... (%d bytes): %s: %w", text[:most], len(text), why, ErrSyntax)
	}
	return fmt.Errorf("version: deb %q: %s: %w", text, why, ErrSyntax)
}
