package zypper

import (
	"path"
	"strings"
)

// locks is the file of zypper's locks (locks(5) of libzypp): blocks of "key: value", with an empty line between them.
const locks = "etc/zypp/locks"

// heldBy says which packages the locks hold, by name. Those that are for some versions or repositories only, or whose names are patterns
// of another kind than a shell's, are left to zypper, which refuses what they forbid.
func heldBy(text string) func(name string) bool {
	type lock struct {
		pattern string
		fold    bool
	}
	var all []lock
	var one []lock
	whole := true
	end := func() {
		if whole {
			all = append(all, one...)
		}
		one, whole = nil, true
	}
	fold := false
	for line := range strings.Lines(text + "\n\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			if line == "" {
				for i := range one {
					one[i].fold = fold
				}
				end()
				fold = false
			}
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "type":
			whole = whole && value == "package"
		case "match_type":
			whole = whole && (value == "glob" || value == "exact")
		case "case_sensitive":
			fold = value == "off"
		case "solvable_name":
			one = append(one, lock{pattern: value})
		case "install_status", "comment", "requested_by":
		default:
			whole = false
		}
	}
	return func(name string) bool {
		for _, l := range all {
			pattern := l.pattern
			if l.fold {
				pattern, name = strings.ToLower(pattern), strings.ToLower(name)
			}
			if fits, err := path.Match(pattern, name); err == nil && fits {
				return true
			}
		}
		return false
	}
}
