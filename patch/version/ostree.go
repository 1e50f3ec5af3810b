package version

import (
	"strings"
	"time"
)

// OSTree is the order of commits of an OSTree repository, as Flatpak has them: by the time that the commit itself carries, which is what
// Flatpak refuses an older commit by. A version is that time in UTC, a hyphen and the commit: "20260203T120000Z-" and 64 hexadecimal
// digits in lower case. Commits of the same second differ, and which of them is taken for the newer one means nothing.
const OSTree Scheme = "ostree"

const (
	ostreeTime   = "20060102T150405Z"
	ostreeCommit = 64 // digits
)

// appendOSTree appends the version itself: all its parts have a length of their own.
func appendOSTree(b []byte, text string) ([]byte, error) {
	if len(text) != len(ostreeTime)+1+ostreeCommit || text[len(ostreeTime)] != '-' {
		return b, syntax(OSTree, text, "it is no time, hyphen and commit")
	}
	if _, err := time.Parse(ostreeTime, text[:len(ostreeTime)]); err != nil {
		return b, syntax(OSTree, text, "its time is none")
	}
	if strings.Trim(text[len(ostreeTime)+1:], "0123456789abcdef") != "" {
		return b, syntax(OSTree, text, "its commit has other digits than hexadecimal ones in lower case")
	}
	return append(b, text...), nil
}
