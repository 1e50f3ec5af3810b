package version

import "strings"

// Windows is the order of file and build versions of Windows, "10.0.22631.4317": one to four numbers of 32 bits, missing ones
// being zero. It is not the order of System.Version, in which a missing number is less than zero ([DotNet]).
const Windows Scheme = "windows"

// DotNet is the order of .NET's System.Version: two to four numbers of 31 bits, a missing one being less than zero, so that
// 1.0 is older than 1.0.0.
const DotNet Scheme = "dotnet"

// appendWindows appends four numbers, each of the same form.
func appendWindows(b []byte, text string) ([]byte, error) {
	return appendNumbers(b, Windows, text, 1, 1<<32-1)
}

// appendDotNet appends those that are there, and closes them: the end is less than a number.
func appendDotNet(b []byte, text string) ([]byte, error) {
	return appendNumbers(b, DotNet, text, 2, 1<<31-1)
}

const numbersEnd = '!'

func appendNumbers(b []byte, s Scheme, text string, least int, most uint64) ([]byte, error) {
	key, n := b, 0
	for part := range strings.SplitSeq(text, ".") {
		if n++; n > 4 || !isNumber(part) {
			return b, syntax(s, text, "want at most four numbers, parted by dots")
		}
		value := uint64(0)
		for i := range len(part) {
			if value = value*10 + uint64(part[i]-'0'); value > most {
				return b, syntax(s, text, "a number is too big")
			}
		}
		key, _ = appendNumber(key, part)
	}
	if n < least {
		return b, syntax(s, text, "want two numbers at least")
	}
	if s == DotNet {
		return append(key, numbersEnd), nil
	}
	for ; n < 4; n++ {
		key, _ = appendNumber(key, "0")
	}
	return key, nil
}
