package apt

import (
	"bytes"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/signs"
	"github.com/patchflow/patchflow/providers/transport"
)

// words are in the order of their weight: the first that is found counts. They are from apt 2.6 and dpkg 1.21.
func words() []signs.Sign {
	return []signs.Sign{
		{Words: "Could not get lock", Class: patch.ErrBusy},
		{Words: "Unable to lock", Class: patch.ErrBusy},
		{Words: "frontend lock was locked by another process", Class: patch.ErrBusy},
		{Words: "database is locked by another process", Class: patch.ErrBusy},
		{Words: "No space left on device", Class: patch.ErrDiskFull},
		{Words: "enough free space", Class: patch.ErrDiskFull},
		{Words: "Disk quota exceeded", Class: patch.ErrDiskFull},
		{Words: "Hash Sum mismatch", Class: patch.ErrUntrusted},
		{Words: "File has unexpected size", Class: patch.ErrUntrusted},
		{Words: "The following signatures", Class: patch.ErrUntrusted},
		{Words: "GPG error", Class: patch.ErrUntrusted},
		{Words: "is not signed", Class: patch.ErrUntrusted},
		{Words: "no longer signed", Class: patch.ErrUntrusted},
		{Words: "Clearsigned file isn't valid", Class: patch.ErrUntrusted},
		{Words: "is expired (invalid since", Class: patch.ErrUntrusted},
		{Words: "is not valid yet", Class: patch.ErrUntrusted},
		{Words: "unauthenticated packages", Class: patch.ErrUntrusted},
		{Words: "cannot be authenticated", Class: patch.ErrUntrusted},
		{Words: "changed its 'Codename' value", Class: patch.ErrUntrusted},
		{Words: "changed its 'Suite' value", Class: patch.ErrUntrusted},
		{Words: "changed its 'Label' value", Class: patch.ErrUntrusted},
		{Words: "changed its 'Origin' value", Class: patch.ErrUntrusted},
		{Words: "conffile prompt", Class: patch.ErrNeedsUser},
		{Words: "Held packages were changed", Class: patch.ErrNeedsUser},
		{Words: "dpkg was interrupted", Class: patch.ErrCorrupt},
		{Words: "killed by signal", Class: patch.ErrCorrupt},
		{Words: "dpkg exited unexpectedly", Class: patch.ErrCorrupt},
		{Words: "dpkg received", Class: patch.ErrCorrupt},
		{Words: "needs to be reinstalled, but", Class: patch.ErrCorrupt},
		{Words: "very bad inconsistent state", Class: patch.ErrCorrupt},
		{Words: "apt --fix-broken install", Class: patch.ErrCorrupt},
		{Words: "parsing file", Class: patch.ErrCorrupt},
		{Words: "could not be parsed or opened", Class: patch.ErrCorrupt},
		{Words: "' was not found", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "Unable to locate package", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "has no installation candidate", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "No packages found", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "404  Not Found"},
		{Words: "Could not connect"},
		{Words: "Connection failed"},
		{Words: "Could not resolve"},
		{Words: "Temporary failure resolving"},
		{Words: "Failed to fetch"},
		{Words: "returned error exit status", Class: patch.ErrPermanent},
		{Words: "unmet dependencies", Class: patch.ErrPermanent},
		{Words: "dependency problems", Class: patch.ErrPermanent},
		{Words: "Unable to correct problems", Class: patch.ErrPermanent},
		{Words: "were downgraded", Class: patch.ErrPermanent},
		{Words: "Packages need to be removed", Class: patch.ErrPermanent},
		{Words: "not a Debian format archive", Class: patch.ErrUntrusted},
		{Words: "are you root?", Class: patch.ErrPermanent},
		{Words: "requested operation requires superuser privilege", Class: patch.ErrPermanent},
		{Words: "Permission denied", Class: patch.ErrPermanent},
		{Words: "Read-only file system", Class: patch.ErrPermanent},
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
	return signs.Classify(r, words(), statusErrors(r.Stdout), errorsOf(r.Stderr))
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
		case len(line) > 2 && bytes.Contains([]byte("EWN"), line[:1]) && line[1] == ':', bytes.HasPrefix(line, []byte("dpkg")),
			bytes.HasPrefix(line, []byte("*** ")) && bytes.Contains(line, []byte("] ? dpkg: ")): // a question that nobody has answered has no end of line
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
