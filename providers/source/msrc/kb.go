package msrc

import (
	"strings"

	"github.com/patchflow/patchflow/patch"
)

// kbID returns the patch of a KB, as "5055523" or "KB5055523" names it, and whether word names one.
func kbID(word string) (patch.ID, bool) {
	number := strings.TrimSpace(word)
	if len(number) > 2 && strings.EqualFold(number[:2], "KB") {
		number = strings.TrimSpace(number[2:])
	}
	if len(number) < 5 || len(number) > 8 || !digits(number) {
		return "", false
	}
	return patch.ID("msrc:KB" + number), true
}

// kbIDs returns the patches that a list names: between its words are semicolons, commas, blanks or "<br>". What names no
// KB is passed over.
func kbIDs(list string) []patch.ID {
	var ids []patch.ID
	list = strings.ReplaceAll(list, "<br>", ";")
	for word := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ';' || r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		if id, ok := kbID(word); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isVersion says whether a FixedBuild is a version: numbers between dots.
func isVersion(s string) bool {
	if len(s) > 64 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if !digits(part) {
			return false
		}
	}
	return true
}

// osBranch returns the first build of the branch of Windows that a build belongs to, "10.0.22631.0" for
// "10.0.22631.4317", and whether it is the build of an operating system.
func osBranch(product, build string) (first string, ok bool) {
	parts := strings.Split(build, ".")
	if len(parts) != 4 || !isVersion(build) || !isWindows(product) || !(parts[0] == "10" && parts[1] == "0" || parts[0] == "6") {
		return "", false
	}
	return strings.Join(parts[:3], ".") + ".0", true
}

// isWindows says whether a product is Windows itself, and not something called "Windows Admin Center".
func isWindows(product string) bool {
	rest, found := strings.CutPrefix(product, "Windows ")
	if !found || rest == "" {
		return false
	}
	word, _, _ := strings.Cut(rest, " ")
	switch strings.TrimSuffix(word, ",") {
	case "Server", "RT", "Vista", "XP":
		return true
	}
	return '0' <= rest[0] && rest[0] <= '9'
}
