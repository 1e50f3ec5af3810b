package updateinfo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
)

func trim(s string) string { return strings.TrimSpace(s) }

// position names a line, and the file if it has a name.
func position(file string, line int) string {
	at := "line " + strconv.Itoa(line)
	if file == "" {
		return at
	}
	return file + ": " + at
}

// denied says whether the text of a flag means no.
func denied(text string) bool {
	return slices.Contains([]string{"false", "no", "0"}, strings.ToLower(text))
}

// parseDate reads a date in one of the forms that publishers use, all of which are in UTC: "2023-02-22 23:22:00",
// "2011-09-27 22:46", "2014-07-20 06:00:01 UTC", "2024-01-31", RFC 3339, and seconds since 1970.
func parseDate(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, true
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds > 0 && seconds < 1<<36 {
		return time.Unix(seconds, 0).UTC(), true
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05 UTC", "2006-01-02", time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// isName says whether s can name a package, an architecture or a repository: nothing that a shell, a path or an option parser
// could take for something else.
func isName(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case i > 0 && (c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// isID says whether s can name an advisory: one printable word.
func isID(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// isModule says whether s can be a module stream, "nodejs:18", or none.
func isModule(s string) bool {
	name, stream, found := strings.Cut(s, ":")
	return s == "" || found && isName(name) && isName(stream)
}

// isCVE says whether word names a CVE: "CVE-2024-3094".
func isCVE(word string) bool {
	year, number, found := strings.Cut(strings.TrimPrefix(word, "CVE-"), "-")
	return found && strings.HasPrefix(word, "CVE-") && len(year) == 4 && len(number) >= 4 && len(number) <= 19 && isDigits(year) && isDigits(number)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// cves returns the CVEs that a reference names: its ID or, in older feeds, its title if it is of type "cve"; those in the
// title if it leads to a bug tracker.
func (r *reference) cves() []string {
	switch r.kind {
	case "cve":
		for _, text := range []string{r.id, r.title} {
			if word, _, _ := strings.Cut(strings.ToUpper(text), " "); isCVE(word) {
				return []string{word}
			}
		}
	case "bugzilla":
		var found []string
		for _, word := range strings.Fields(r.title) {
			if word = strings.Trim(word, ",;:()[]"); isCVE(word) {
				found = append(found, word)
			}
		}
		return found
	}
	return nil
}

// evr writes a version as rpm does, without an epoch of zero.
func evr(epoch, version, release string) (string, error) {
	if epoch = strings.TrimLeft(epoch, "0"); epoch != "" && epoch != "(none)" {
		if n, err := strconv.ParseUint(epoch, 10, 32); err != nil || n == 0 {
			return "", fmt.Errorf("epoch is %q", epoch)
		}
		epoch += ":"
	} else {
		epoch = ""
	}
	for _, part := range []struct{ name, text string }{{"version", version}, {"release", release}} {
		if part.text == "" || len(part.text) > 255 || strings.ContainsFunc(part.text, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '-' || c == ':' || c == '/' }) {
			return "", fmt.Errorf("%s is %q", part.name, abbreviate(part.text))
		}
	}
	return epoch + version + "-" + release, nil
}

// sourceOf returns the name of the package that was built from a source package: "nodejs" of "nodejs-18.18.2-1.el9.src.rpm".
// Other things than files of source packages stand there too, and say nothing.
func sourceOf(src string) string {
	stem, found := strings.CutSuffix(path.Base(src), ".src.rpm")
	if !found {
		if stem, found = strings.CutSuffix(path.Base(src), ".nosrc.rpm"); !found {
			return ""
		}
	}
	for range 2 { // release and version
		i := strings.LastIndexByte(stem, '-')
		if i < 0 {
			return ""
		}
		stem = stem[:i]
	}
	if !isName(stem) {
		return ""
	}
	return stem
}

// isKernel says whether a package is a kernel, which runs from the next boot on.
func isKernel(name string) bool {
	switch name {
	case "kernel", "kernel-core", "kernel-default", "kernel-64k", "kernel-64k-core", "kernel-rt", "kernel-rt-core", "kernel-uek", "kernel-uek-core",
		"kernel-azure", "kernel-debug-core", "kernel-lpae", "kernel-PAE":
		return true
	}
	return false
}

// weak says whether a kind of checksum is one that can be forged.
func weak(kind string) bool { return digestLength(kind) == 0 }

// digestLength returns how many bytes a hash of a kind has, 0 for a kind that proves nothing.
func digestLength(kind string) int {
	switch kind {
	case "sha256":
		return 32
	case "sha384":
		return 48
	case "sha512":
		return 64
	}
	return 0
}

// digest returns a hash as a [patch.Digest]; "" for none and for a kind that proves nothing.
func digest(kind, sum string) (patch.Digest, error) {
	kind, sum = strings.ToLower(kind), strings.ToLower(sum)
	n := digestLength(kind)
	if sum == "" || n == 0 {
		return "", nil
	}
	if _, err := hex.DecodeString(sum); err != nil || len(sum) != 2*n {
		return "", fmt.Errorf("%s is %q", kind, abbreviate(sum))
	}
	return patch.Digest(kind + ":" + sum), nil
}

var errLeaves = errors.New("it leaves the repository")

// inside checks that a file's name stays inside its repository.
func inside(name string) error {
	if name == "" || len(name) > 1024 || path.IsAbs(name) || strings.ContainsAny(name, "\\\n\r\t") || strings.Contains("/"+name+"/", "/../") || strings.Contains(name, "://") {
		return fmt.Errorf("file %q: %w", abbreviate(name), errLeaves)
	}
	return nil
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(s string) string {
	const most = 60
	return s[:min(len(s), most)]
}
