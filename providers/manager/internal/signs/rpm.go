package signs

import "github.com/patchflow/patchflow/patch"

// RPM is what rpm says, and what it means. The words are from rpm 4.18.
func RPM() []Sign {
	return []Sign{
		{Words: "can't create transaction lock", Class: patch.ErrBusy},
		{Words: "waiting for transaction lock", Class: patch.ErrBusy},
		{Words: "No space left on device", Class: patch.ErrDiskFull},
		{Words: "Disk quota exceeded", Class: patch.ErrDiskFull},
		{Words: "more space needed on the", Class: patch.ErrDiskFull},
		{Words: "more space on the", Class: patch.ErrDiskFull},
		{Words: "does not verify", Class: patch.ErrUntrusted},
		{Words: "digest mismatch", Class: patch.ErrUntrusted},
		{Words: "BAD", Class: patch.ErrUntrusted},
		{Words: "cannot open Packages", Class: patch.ErrCorrupt},
		{Words: "database disk image is malformed", Class: patch.ErrCorrupt},
		{Words: "file is not a database", Class: patch.ErrCorrupt},
		{Words: "cannot open rpmdb", Class: patch.ErrCorrupt},
		{Words: "rpmdb open failed", Class: patch.ErrCorrupt},
		{Words: "rpmdb: damaged header", Class: patch.ErrCorrupt},
		{Words: "scriptlet failed", Class: patch.ErrPermanent},
		{Words: "conflicts with file from package", Class: patch.ErrPermanent},
		{Words: "Failed dependencies", Class: patch.ErrPermanent},
		{Words: "Permission denied", Class: patch.ErrPermanent},
		{Words: "Read-only file system", Class: patch.ErrPermanent},
		{Words: "is not installed", Class: patch.ErrNotApplicable},
	}
}
