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
	end := start
	for end < len(text) && isDigit(text[end]) {
		end++
	}
	n := end - start
	for ; n >= numDigitsMax; n -= numDigitsMax {
		key = append(key, numDigitsMore)
	}
	key = append(key, byte(numDigits+n))
	return append(key, text[start:end]...), text[end:]
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// isNumber says whether text is digits, and at least one.
func isNumber(text string) bool {
	for i := range len(text) {
		if !isDigit(text[i]) {
			return false
		}
	}
	return text != ""
}

// syntax says why text is no version of a scheme. It quotes the text, of a very long one only its beginning.
func syntax(s Scheme, text, why string) error {
	const most = 200
	if len(text) > most {
		return fmt.Errorf("version: %s %q... (%d bytes): %s: %w", s, text[:most], len(text), why, ErrSyntax)
	}
	return fmt.Errorf("version: %s %q: %s: %w", s, text, why, ErrSyntax)
}
