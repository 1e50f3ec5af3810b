package predicate

import (
	"strings"
	"unicode/utf8"

	"github.com/patchflow/patchflow/patch"
)

// like says whether s fits a pattern, in which * stands for any text, ? for one character, and \ takes the meaning from
// the next. It takes len(s) times len(pattern) steps at most.
func like(pattern, s string) bool {
	star, retry := -1, 0 // behind the last star, and where what follows it was tried
	i, j := 0, 0
	for j < len(s) {
		if i < len(pattern) && pattern[i] == '*' {
			i++
			star, retry = i, j
			continue
		}
		if i < len(pattern) {
			if pattern[i] == '?' {
				_, size := utf8.DecodeRuneInString(s[j:])
				i, j = i+1, j+size
				continue
			}
			k := i
			if pattern[k] == '\\' && k+1 < len(pattern) {
				k++
			}
			if pattern[k] == s[j] {
				i, j = k+1, j+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, size := utf8.DecodeRuneInString(s[retry:])
		retry += size
		i, j = star, retry
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// release compares a version of an operating system with one that an expression names, part by part and no further than
// that says: "12.5" is equal to "12". It returns -1, 0 or 1, and whether they can be compared: "12" with "12.5" cannot,
// nor can parts that differ and are not both numbers, but they differ.
func release(have, want string) (order int, known, differ bool) {
	for {
		h, haveRest, haveMore := strings.Cut(have, ".")
		w, wantRest, wantMore := strings.Cut(want, ".")
		if h != w {
			if !digits(h) || !digits(w) {
				return 0, false, true
			}
			if c := compareDigits(h, w); c != 0 {
				return c, true, true
			}
		}
		switch {
		case !wantMore:
			return 0, true, false
		case !haveMore:
			return 0, false, false
		}
		have, want = haveRest, wantRest
	}
}

// compareDigits compares two numbers of any length.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return sign(len(a) - len(b))
	}
	return strings.Compare(a, b)
}

func sign(n int) int { return min(max(n, -1), 1) }

// within says whether a tenant is t or stands below it; the empty one is only itself.
func within(tenant, t string) bool {
	rest, ok := strings.CutPrefix(tenant, t)
	return ok && (rest == "" || t != "" && rest[0] == '/')
}

// An orders is a set of -1, 0 and 1: the orders of something and what it is compared with for which a comparison holds.
type orders uint8

// orders returns what o asks for; an equality, unless it is another.
func (o op) orders() orders {
	const less, equal, more = 1, 2, 4
	switch o {
	case opLess:
		return less
	case opAtMost:
		return less | equal
	case opMore:
		return more
	case opAtLeast:
		return equal | more
	case opUnequal:
		return less | more
	}
	return equal
}

func (o orders) has(order int) patch.Tri { return patch.No + patch.Tri(o>>(order+1)&1) }

// not is Kleene's: what is unknown stays so.
func not(t patch.Tri) patch.Tri {
	switch t {
	case patch.Yes:
		return patch.No
	case patch.No:
		return patch.Yes
	}
	return patch.Unknown
}
