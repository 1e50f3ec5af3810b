package version

import (
	"cmp"
	"fmt"
)

// A number in a key is its count of digits without leading zeros, then those digits. numDigits+n is the count n; for each
// numDigitsMax digits beyond, numDigitsMore stands before it. So a longer number is a greater one, however long, and no
// number's key is the beginning of another's.
const (
	numDigits     = '0'
	numDigitsMax  = 78
	numDigitsMore = numDigits + numDigitsMax
)

// appendNumber appends the digits at the beginning of text, none being zero, and returns what follows them.
func appendNumber(key []byte, text string) ([]byte, string) {
	for text != "" && text[0] == '0' {
		text = text[1:]
	}
	n := digits(text)
	key = appendCount(key, n)
	for i := range n { // most are so short that copying them at once takes longer
		key = append(key, text[i])
	}
	return key, text[n:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isAlnum(c byte) bool { return isDigit(c) || isLetter(c) }

// digits counts the digits at the beginning of text.
func digits(text string) int {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return n
}

// isNumber says whether text is digits, and at least one.
func isNumber(text string) bool { return text != "" && digits(text) == len(text) }

// badEpoch says why text is no number, or one that is greater than most; it is empty for a good one.
func badEpoch(text string, most uint64) (why string) {
	if !isNumber(text) {
		return "the epoch is no number"
	}
	n := uint64(0)
	for i := range len(text) {
		if n = n*10 + uint64(text[i]-'0'); n > most {
			return "the epoch is too big"
		}
	}
	return ""
}

// common counts the bytes with which both texts begin.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// compareNumbers compares the digits at the beginning of two texts, none being zero, as appendNumber orders them, and
// returns what follows them in each; the rests mean something only if the numbers are equal.
func compareNumbers(a, b string) (c int, restA, restB string) {
	for a != "" && a[0] == '0' {
		a = a[1:]
	}
	for b != "" && b[0] == '0' {
		b = b[1:]
	}
	for i := 0; ; i++ {
		x, y := i < len(a) && isDigit(a[i]), i < len(b) && isDigit(b[i])
		switch {
		case x && y:
			if c == 0 {
				c = cmp.Compare(a[i], b[i]) // which counts if no number is longer
			}
		case x:
			return 1, a, b
		case y:
			return -1, a, b
		default:
			return c, a[i:], b[i:]
		}
	}
}

// compareLetters compares the letters at the beginning of two texts, the shorter of two being less if the longer begins with
// it, and returns what follows them in each; the rests mean something only if they are equal.
func compareLetters(a, b string) (c int, restA, restB string) {
	for i := 0; ; i++ {
		x, y := i < len(a) && isLetter(a[i]), i < len(b) && isLetter(b[i])
		switch {
		case x && y && a[i] == b[i]:
		case x && y:
			return cmp.Compare(a[i], b[i]), a, b
		case x:
			return 1, a, b
		case y:
			return -1, a, b
		default:
			return 0, a[i:], b[i:]
		}
	}
}

// syntax says why text is no version of a scheme. It quotes the text, of a very long one only its beginning.
func syntax(s Scheme, text, why string) error {
	const most = 200
	if len(text) > most {
		return fmt.Errorf("version: %s %q... (%d bytes): %s: %w", s, text[:most], len(text), why, ErrSyntax)
	}
	return fmt.Errorf("version: %s %q: %s: %w", s, text, why, ErrSyntax)
}

// appendCount appends a count, a greater one being a greater key.
func appendCount(key []byte, n int) []byte {
	for ; n >= numDigitsMax; n -= numDigitsMax {
		key = append(key, numDigitsMore)
	}
	return append(key, byte(numDigits+n))
}
