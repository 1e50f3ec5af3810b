package rollout

import (
	"strings"

	"github.com/patchflow/patchflow/inventory"
)

// longCause is how long the text of a [Cause] may be, in bytes.
const longCause = 200

// causeText returns the text that a [Cause] has of the words of a provider about device d.
func causeText(words string, d inventory.DeviceID) string {
	var b strings.Builder
	last := ""
	for field := range strings.FieldsSeq(words) {
		if b.Len() > longCause {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		for field != "" {
			n := wordLen(field)
			if n == 0 {
				b.WriteByte(field[0])
				field = field[1:]
				continue
			}
			if word := field[:n]; varies(word, last, d) {
				b.WriteByte('#')
			} else {
				b.WriteString(word)
			}
			last, field = field[:n], field[n:]
		}
	}
	text := strings.ToValidUTF8(b.String(), "?")
	if len(text) > longCause {
		text = strings.ToValidUTF8(text[:longCause], "")
	}
	return text
}

// wordLen says how much of the beginning of s is a word. Names of devices and GUIDs hold dots and dashes, but do not end so.
func wordLen(s string) int {
	n := strings.IndexFunc(s, func(c rune) bool {
		return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.' || c >= 0x80)
	})
	if n < 0 {
		n = len(s)
	}
	return len(strings.TrimRight(s[:n], ".-"))
}

// varies says whether a word is another one on each device, or each time. Last is the word before it.
func varies(word, last string, d inventory.DeviceID) bool {
	if word == string(d) {
		return true
	}
	digits, hex := 0, 0
	for i := range len(word) {
		switch c := word[i]; {
		case c >= '0' && c <= '9':
			digits++
			hex++
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			hex++
		case c != '-':
			return false
		}
	}
	if digits == len(word) {
		switch strings.ToLower(last) {
		case "pid", "process", "port":
			return true
		}
		return digits >= 6
	}
	return digits > 0 && hex >= 12
}
