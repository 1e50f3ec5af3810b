package version

import (
	"math"
	"strconv"
	"strings"
)

// WinGet is the order of the Windows Package Manager, as the Version class of winget-cli (AppInstallerVersions.h) has it. Parts are
// parted by dots; a part is a number and a text, of which a part without text is newer: 1.0-rc is older than 1.0. Missing parts are
// zero, texts know no case, and what stands before the first digit is not looked at, unless a dot stands there as well: "v1.2" and
// "Version 1.2" equal "1.2.0". "Latest" is newer than everything else and "Unknown" older. "< 1.2" and "> 1.2", which tell what
// an installed version can be, stand directly below and above 1.2.
//
// A number beyond 64 bits counts as text, as it does for winget. Refused are the empty text, control characters, and what is
// not ASCII, whose cases winget folds by a library of its own; "< Unknown" is none for winget either.
const WinGet Scheme = "winget"

// The bytes of a winget key. It is wingetUnknown alone; or wingetLatest or wingetParts with the parts, and then how the text
// approximates: '<', '=' or '>'. Before each part stands what kind it is, in the order in which they rank against the
// end, and so against missing parts. A zero in between ranks by what comes after it.
const (
	wingetUnknown = '!'
	wingetParts   = '#'
	wingetLatest  = '~'

	wingetText      = '!' // no number, and a text
	wingetZeroBelow = '"' // a zero, and the next part that is none is a wingetText
	wingetEnd       = '#'
	wingetZeroAbove = '$' // a zero, and the next part that is none is a wingetNumber
	wingetNumber    = '%'

	wingetWord   = '"' // what follows a number, closed like every text; older than
	wingetNoWord = '~'
	wingetClose  = '!'
)

const wingetBlanks = " \f\n\r\t\v"

func appendWinGet(b []byte, text string) ([]byte, error) {
	rest := strings.Trim(text, wingetBlanks)
	about := byte('=')
	if strings.HasPrefix(rest, "< ") || strings.HasPrefix(rest, "> ") {
		about, rest = rest[0], rest[2:]
	}
	if rest == "" {
		return b, syntax(WinGet, text, "it is empty")
	}
	if n := strings.IndexAny(rest, "0123456789."); n >= 0 && rest[n] != '.' {
		rest = rest[n:]
	}
	key, zeros, parts, only := append(b, wingetParts), 0, 0, ""
	for part := range strings.SplitSeq(rest, ".") {
		part = strings.Trim(part, wingetBlanks)
		for i := range len(part) {
			if part[i] < ' ' || part[i] >= 0x7f {
				return b, syntax(WinGet, text, "it has a control character, or one beyond ASCII")
			}
		}
		number, word := wingetPart(part)
		if number == 0 && word == "" {
			zeros++
			continue
		}
		parts += zeros + 1
		kind, zero := byte(wingetText), byte(wingetZeroBelow)
		if number > 0 {
			kind, zero = wingetNumber, wingetZeroAbove
		}
		for ; zeros > 0; zeros-- {
			key = append(key, zero)
		}
		key = append(key, kind)
		switch {
		case number == 0:
			key = appendWinGetWord(key, word)
			only = word
		case word == "":
			key = append(appendUint(key, number), wingetNoWord)
		default:
			key = appendWinGetWord(append(appendUint(key, number), wingetWord), word)
		}
	}
	switch {
	case parts == 1 && strings.EqualFold(only, "unknown"):
		if about != '=' {
			return b, syntax(WinGet, text, "nothing approximates the unknown")
		}
		return append(b, wingetUnknown), nil
	case parts == 1 && strings.EqualFold(only, "latest"):
		return append(b, wingetLatest, about), nil
	}
	return append(key, wingetEnd, about), nil
}

// wingetPart parts a part as strtoull does: a sign may stand before the number, and a minus counts from 2 to the power of 64.
func wingetPart(part string) (number uint64, word string) {
	start := 0
	if part != "" && (part[0] == '-' || part[0] == '+') {
		start = 1
	}
	end := start + digits(part[start:])
	if end == start {
		return 0, part
	}
	for _, c := range []byte(part[start:end]) {
		digit := uint64(c - '0')
		if number > (math.MaxUint64-digit)/10 {
			return 0, part
		}
		number = number*10 + digit
	}
	if part[0] == '-' {
		number = -number
	}
	return number, part[end:]
}

// appendWinGetWord appends a text in lower case, and closes it. As no capitals are left, those characters that stand before them
// can make room for the closing byte and the blank.
func appendWinGetWord(key []byte, word string) []byte {
	for _, c := range []byte(word) {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c <= '@':
			c += 2
		}
		key = append(key, c)
	}
	return append(key, wingetClose)
}

// appendUint appends a number in the form of appendNumber; zero has a digit here.
func appendUint(key []byte, n uint64) []byte {
	var buf [20]byte
	text := strconv.AppendUint(buf[:0], n, 10)
	return append(appendCount(key, len(text)), text...)
}
