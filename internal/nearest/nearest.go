// Package nearest finds the word that somebody has meant.
package nearest

import "strings"

// Word returns the word of known that differs from word in the fewest letters, the first of several; "" if none differs in less
// than three, or in nearly all of its own. Capitals, hyphens and underscores do not count.
func Word(word string, known []string) string {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	best, least := "", 3
	for _, k := range known {
		if d := distance(plain(word), plain(k), least); d < least && d < len(k)-1 {
			best, least = k, d
		}
	}
	return best
}

// distance returns how many letters must be put in, taken out or replaced to make b of a (the Levenshtein distance), or
// limit if that is less.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	last, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
		}
		last, row = row, last
	}
	return min(last[len(b)], limit)
}
