package apt

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
)

// errNotOffered is the cause when no index has a version.
var errNotOffered = errors.New("no archive of the device offers it")

// A sign is words of apt or dpkg, in the C locale, and what they mean.
type sign struct {
	words string
	class error // nil for a transient failure
	cause error // more exactly, where somebody asks
}

// signs are in the order of their weight: the first that is found counts. They are from apt 2.6 and dpkg 1.21.
func signs() []sign {
	return []sign{
		{words: "Could not get lock", class: patch.ErrBusy},
		{words: "Unable to lock", class: patch.ErrBusy},
		{words: "frontend lock was locked by another process", class: patch.ErrBusy},
		{words: "database is locked by another process", class: patch.ErrBusy},
		{words: "No space left on device", class: patch.ErrDiskFull},
		{words: "enough free space", class: patch.ErrDiskFull},
		{words: "Disk quota exceeded", class: patch.ErrDiskFull},
		{words: "Hash Sum mismatch", class: patch.ErrUntrusted},
		{words: "File has unexpected size", class: patch.ErrUntrusted},
		{words: "The following signatures", class: patch.ErrUntrusted},
		{words: "GPG error", class: patch.ErrUntrusted},
		{words: "is not signed", class: patch.ErrUntrusted},
		{words: "no longer signed", class: patch.ErrUntrusted},
		{words: "Clearsigned file isn't valid", class: patch.ErrUntrusted},
		{words: "is expired (invalid since", class: patch.ErrUntrusted},
		{words: "is not valid yet", class: patch.ErrUntrusted},
		{words: "unauthenticated packages", class: patch.ErrUntrusted},
		{words: "cannot be authenticated", class: patch.ErrUntrusted},
		{words: "changed its 'Codename' value", class: patch.ErrUntrusted},
		{words: "changed its 'Suite' value", class: patch.ErrUntrusted},
		{words: "changed its 'Label' value", class: patch.ErrUntrusted},
		{words: "changed its 'Origin' value", class: patch.ErrUntrusted},
		{words: "conffile prompt", class: patch.ErrNeedsUser},
		{words: "Held packages were changed", class: patch.ErrNeedsUser},
		{words: "dpkg was interrupted", class: patch.ErrCorrupt},
		{words: "killed by signal", class: patch.ErrCorrupt},
		{words: "dpkg exited unexpectedly", class: patch.ErrCorrupt},
		{words: "dpkg received", class: patch.ErrCorrupt},
		{words: "needs to be reinstalled, but", class: patch.ErrCorrupt},
		{words: "very bad inconsistent state", class: patch.ErrCorrupt},
		{words: "apt --fix-broken install", class: patch.ErrCorrupt},
		{words: "parsing file", class: patch.ErrCorrupt},
		{words: "could not be parsed or opened", class: patch.ErrCorrupt},
		{words: "' was not found", class: patch.ErrPermanent, cause: errNotOffered},
		{words: "Unable to locate package", class: patch.ErrPermanent, cause: errNotOffered},
		{words: "has no installation candidate", class: patch.ErrPermanent, cause: errNotOffered},
		{words: "No packages found", class: patch.ErrPermanent, cause: errNotOffered},
		{words: "404  Not Found"},
		{words: "Could not connect"},
		{words: "Connection failed"},
		{words: "Could not resolve"},
		{words: "Temporary failure resolving"},
		{words: "Failed to fetch"},
		{words: "returned error exit status", class: patch.ErrPermanent},
		{words: "unmet dependencies", class: patch.ErrPermanent},
		{words: "dependency problems", class: patch.ErrPermanent},
		{words: "Unable to correct problems", class: patch.ErrPermanent},
		{words: "were downgraded", class: patch.ErrPermanent},
		{words: "Packages need to be removed", class: patch.ErrPermanent},
		{words: "not a Debian format archive", class: patch.ErrUntrusted},
		{words: "are you root?", class: patch.ErrPermanent},
		{words: "requested operation requires superuser privilege", class: patch.ErrPermanent},
		{words: "Permission denied", class: patch.ErrPermanent},
		{words: "Read-only file system", class: patch.ErrPermanent},
	}
}

// Classify returns an error for a command of apt or dpkg that has not ended with 0, in the C locale. Its class, see
// [patch.FaultOf], is that of what the command reports for programs to read (APT::Status-Fd and dpkg's --status-fd on its standard
// output), of its error output otherwise, and transient if neither is known.
//
// That a command has ended with 0 does not say that it has done what it was told to, and with another code not that it has
// not: the caller looks at the device.
func Classify(r transport.Result) error {
	if r.OK() {
		return nil
	}
	told := statusErrors(r.Stdout)
	for _, said := range [][]byte{told, errorsOf(r.Stderr)} {
		for _, s := range signs() {
			line := lineWith(said, s.words)
			if line == "" {
				continue
			}
			err := fmt.Errorf("%s: %s", r, line)
			if s.cause != nil {
				err = fmt.Errorf("%w: %w", err, s.cause)
			}
			if s.class != nil {
				err = fmt.Errorf("%w: %w", err, s.class)
			}
			return err
		}
	}
	if r.Code == 126 || r.Code == 127 {
		return fmt.Errorf("%s: %s: %w", r, desk.LastLine(r.Stderr), patch.ErrPermanent)
	}
	return fmt.Errorf("%s: %s", r, desk.LastLine(append(told, r.Stderr...)))
}

// statusErrors returns the messages of "pmerror:jq:60.0000:…" and "status: jq : error : …".
func statusErrors(stdout []byte) []byte {
	var all []byte
	for line := range bytes.Lines(stdout) {
		if rest, ok := bytes.CutPrefix(line, []byte("pmerror:")); ok {
			if fields := bytes.SplitN(rest, []byte(":"), 3); len(fields) == 3 {
				all = append(all, fields[2]...)
			}
		} else if rest, ok := bytes.CutPrefix(line, []byte("status: ")); ok {
			if fields := bytes.SplitN(rest, []byte(" : "), 3); len(fields) == 3 && string(fields[1]) == "error" {
				all = append(all, fields[2]...)
			}
		}
	}
	return all
}

// errorsOf leaves out what scripts of packages may have written: lines of apt begin with "E: " or "W: ", or belong to the error
// before them; those of dpkg with "dpkg", and its reasons with a space.
func errorsOf(stderr []byte) []byte {
	var all []byte
	ours := false
	for line := range bytes.Lines(stderr) {
		switch {
		case len(line) > 2 && bytes.Contains([]byte("EWN"), line[:1]) && line[1] == ':', bytes.HasPrefix(line, []byte("dpkg")):
			ours = true
		case line[0] != ' ':
			ours = false
		}
		if ours {
			all = append(all, line...)
		}
	}
	return all
}

// lineWith returns the line of text that holds words, trimmed, or "".
func lineWith(text []byte, words string) string {
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(words)) {
			return strings.ToValidUTF8(fmt.Sprintf("%.400s", bytes.TrimSpace(line)), "?")
		}
	}
	return ""
}
