// Package rpm looks at devices whose packages rpm manages: AlmaLinux, Rocky Linux, Red Hat, Oracle, Amazon, Fedora, SUSE,
// openSUSE and others, whichever of dnf, yum, microdnf and zypper installs there. It reads what "rpm -qa" prints in a format
// of its own ([QueryFormat]), and can run that command on the files of a system below a root folder.
//
// It was tested with rpm 4.18 and its SQLite database.
package rpm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// Manager is what [inventory.Software] and [inventory.Coverage] call the package manager.
const Manager = "rpm"

// QueryFormat is what "rpm -qa --queryformat" takes to print what [ReadQuery] reads: one line for each package, with tabs
// between name, epoch, version, release, architecture, source package, time of installation and module. None of these
// can hold a tab: rpm builds no such package.
const QueryFormat = oldQueryFormat + `\t%{MODULARITYLABEL}\n`

// OldQueryFormat is the same without the module, for rpm before 4.15 (CentOS 7, Amazon Linux 2, SLES 12), which refuses the
// tag. None of these systems has modules. [ReadQuery] reads both.
const OldQueryFormat = oldQueryFormat + `\n`

const oldQueryFormat = `%{NAME}\t%{EPOCH}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{INSTALLTIME}`

// maxLine is how long a line of the query may be, in bytes.
const maxLine = 16 << 10

// A DuplicateError is a package of which several versions are installed at once, though only one can be: rpm was interrupted
// between installing the new one and removing the old one. All versions are listed. It wraps [patch.ErrCorrupt].
type DuplicateError struct {
	Name, Arch string
	Versions   []string // in the order in which rpm lists them
}

// Error implements error.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("rpm: package %s.%s is installed as %s: %v", e.Name, e.Arch, strings.Join(e.Versions, " and as "), patch.ErrCorrupt)
}

// Unwrap returns [patch.ErrCorrupt].
func (e *DuplicateError) Unwrap() error { return patch.ErrCorrupt }

// ReadQuery reads what rpm printed by [QueryFormat], plain or compressed, and returns what is installed, in the order of
// the file, as software of the ecosystem ("AlmaLinux:9"). Keys for signatures, which rpm lists as packages named gpg-pubkey,
// are none. Versions are written with their epoch, unless that is zero. Module is name and stream ("nodejs:18"). Where the
// version of the source package differs, SourceVersion has it without an epoch, which rpm does not tell.
//
// The list is nil if the file could not be read to its end, or its last line has none. Otherwise it is what could be read, and
// the error gathers what could not: an error for each unreadable line that names it and wraps [patch.ErrRecord], and a
// [*DuplicateError] for each package that is there twice and is no kernel (those are installed side by side). Such a
// list is partial: what is absent from it may be there.
func ReadQuery(r io.Reader, ecosystem string) ([]inventory.Software, error) {
	list, err := readQuery(r, ecosystem)
	if list == nil {
		return nil, err
	}
	software := make([]inventory.Software, len(list))
	for i := range list {
		software[i] = list[i].Software
	}
	return software, err
}

// An installed package, and when it was installed; zero if unknown.
type installed struct {
	inventory.Software
	at time.Time
}

func readQuery(r io.Reader, ecosystem string) ([]installed, error) {
	content, err := bounded.NewReader(r, bounded.Limits{})
	if err != nil {
		return nil, fmt.Errorf("rpm: query: %w", err)
	}
	list := []installed{}
	words := make(map[string]string) // one copy of each name
	var wrong *multierror.Error
	lines := bufio.NewReaderSize(content, maxLine)
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			if err := duplicates(list); err != nil {
				wrong = multierror.Append(wrong, err...)
			}
			return list, wrong.ErrorOrNil()
		case err == io.EOF:
			err = fmt.Errorf("the file ends in the middle of a line: %w", io.ErrUnexpectedEOF)
		case errors.Is(err, bufio.ErrBufferFull):
			err = fmt.Errorf("a line of more than %d bytes: %w", maxLine, bounded.ErrTooLarge)
		}
		if err != nil {
			return nil, multierror.Append(wrong, fmt.Errorf("rpm: query: line %d: %w", n, err))
		}
		p, err := parse(strings.TrimRight(string(line), "\r\n"), words)
		if err != nil {
			wrong = multierror.Append(wrong, fmt.Errorf("rpm: query: line %d: %w: %w", n, err, patch.ErrRecord))
			continue
		}
		if p.Name != "gpg-pubkey" {
			p.Ecosystem = ecosystem
			list = append(list, p)
		}
	}
}

// parse reads one line.
func parse(line string, words map[string]string) (installed, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 7 && len(fields) != 8 {
		return installed{}, fmt.Errorf("%d fields, want 7 or 8", len(fields))
	}
	for i, field := range fields {
		if field == "(none)" {
			field = ""
		}
		known, found := words[field]
		if !found {
			known = strings.Clone(field)
			words[known] = known
		}
		fields[i] = known
	}
	p := installed{Software: inventory.Software{Manager: Manager, Name: fields[0], Arch: fields[4]}}
	if !isName(p.Name) {
		return installed{}, fmt.Errorf("name is %q", abbreviate(p.Name))
	}
	if p.Name == "gpg-pubkey" {
		return p, nil
	}
	if !isName(p.Arch) {
		return installed{}, fmt.Errorf("package %s: architecture is %q", p.Name, abbreviate(p.Arch))
	}
	var err error
	if p.Version, err = versionOf(fields[1], fields[2], fields[3]); err != nil {
		return installed{}, fmt.Errorf("package %s: %w", p.Name, err)
	}
	if name, release, found := sourceOf(fields[5]); found {
		if name != p.Name {
			p.Source = name
		}
		if release != fields[2]+"-"+fields[3] {
			p.SourceVersion = version.Version{Scheme: p.Version.Scheme, Text: release}
		}
	}
	if seconds, err := strconv.ParseInt(fields[6], 10, 64); err == nil && seconds > 0 {
		p.at = time.Unix(seconds, 0).UTC()
	} else if fields[6] != "" {
		return installed{}, fmt.Errorf("package %s: time of installation is %q", p.Name, abbreviate(fields[6]))
	}
	if len(fields) == 8 && fields[7] != "" {
		parts := strings.SplitN(fields[7], ":", 3) // nodejs:18:9040020240510175312:8cf767d6
		if len(parts) < 2 || !isName(parts[0]) || !isName(parts[1]) {
			return installed{}, fmt.Errorf("package %s: module is %q", p.Name, abbreviate(fields[7]))
		}
		p.Module = parts[0] + ":" + parts[1]
	}
	return p, nil
}

// versionOf writes a version as rpm does, without an epoch of zero.
func versionOf(epoch, v, release string) (version.Version, error) {
	prefix := ""
	if epoch != "" {
		n, err := strconv.ParseUint(epoch, 10, 32)
		if err != nil {
			return version.Version{}, fmt.Errorf("epoch is %q", abbreviate(epoch))
		}
		if n > 0 {
			prefix = strconv.FormatUint(n, 10) + ":"
		}
	}
	for _, part := range []string{v, release} {
		if part == "" || strings.ContainsFunc(part, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '-' || c == ':' || c == '/' }) {
			return version.Version{}, fmt.Errorf("version is %q", abbreviate(v+"-"+release))
		}
	}
	return version.Parse(version.RPM, prefix+v+"-"+release)
}

// sourceOf takes the file name of a source package apart: name, and version with release.
func sourceOf(file string) (name, release string, found bool) {
	stem, found := strings.CutSuffix(file, ".src.rpm")
	if !found {
		if stem, found = strings.CutSuffix(file, ".nosrc.rpm"); !found {
			return "", "", false
		}
	}
	at := strings.LastIndexByte(stem, '-')
	if at < 0 {
		return "", "", false
	}
	if at = strings.LastIndexByte(stem[:at], '-'); at < 0 || !isName(stem[:at]) {
		return "", "", false
	}
	return stem[:at], stem[at+1:], true
}

// duplicates returns an error for each package that is there several times and must not be.
func duplicates(list []installed) (wrong []error) {
	type key struct{ name, arch string }
	seen := make(map[key]int, len(list))
	var twice []key
	for i := range list {
		k := key{list[i].Name, list[i].Arch}
		if seen[k]++; seen[k] == 2 && !sideBySide(k.name) {
			twice = append(twice, k)
		}
	}
	for _, k := range twice {
		e := &DuplicateError{Name: k.name, Arch: k.arch}
		for i := range list {
			if list[i].Name == k.name && list[i].Arch == k.arch {
				e.Versions = append(e.Versions, list[i].Version.Text)
			}
		}
		wrong = append(wrong, e)
	}
	return wrong
}

// sideBySide says whether dnf and zypper install a new version of a package beside the old one: kernels, and modules for one
// kernel each. The packages say so by what they provide, but their names are clear enough.
func sideBySide(name string) bool {
	return name == "kernel" || strings.HasPrefix(name, "kernel-") || strings.HasPrefix(name, "kmod-")
}

// restarts lists the packages whose new version takes effect with the next boot, as the command needs-restarting of dnf does.
func restarts() []string {
	return []string{"kernel", "kernel-core", "kernel-rt", "kernel-rt-core", "kernel-default", "glibc", "linux-firmware", "systemd",
		"dbus", "dbus-broker", "dbus-daemon", "microcode_ctl"}
}

// needsRestart says whether one of these was installed after the system was started.
func needsRestart(list []installed, boot time.Time) bool {
	return slices.ContainsFunc(list, func(p installed) bool {
		return p.at.After(boot) && slices.Contains(restarts(), p.Name)
	})
}

// markRunning marks the kernels whose version is that of the running one, as the kernel tells it: "5.14.0-427.el9.x86_64".
func markRunning(list []installed, release string) {
	for i := range list {
		p := &list[i]
		p.Running = release != "" && sideBySide(p.Name) && p.Version.Text+"."+p.Arch == release
	}
}

// isName says whether s can name a package, an architecture or a module: nothing that a shell, a path or an option parser could
// take for something else.
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

// abbreviate returns the beginning of a text for an error.
func abbreviate(s string) string {
	const most = 60
	return s[:min(len(s), most)]
}
