package version

import "fmt"

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
	start := 0
	for start < len(text) && text[start] == '0' {
		start++
	}
	end := start + digits(text[start:])
	key = appendCount(key, end-start)
	return append(key, text[start:end]...), text[end:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

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
