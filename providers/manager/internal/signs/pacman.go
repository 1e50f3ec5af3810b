package signs

import (
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
)

// Pacman is what pacman says. The words are from pacman 6.0.
func Pacman() []Sign {
	return []Sign{
		{Words: "unable to lock database", Class: patch.ErrBusy},
		{Words: "could not lock database", Class: patch.ErrBusy},
		{Words: "not enough free disk space", Class: patch.ErrDiskFull},
		{Words: "too full:", Class: patch.ErrDiskFull},
		{Words: "No space left on device", Class: patch.ErrDiskFull},
		{Words: "Disk quota exceeded", Class: patch.ErrDiskFull},
		{Words: "failed to prepare transaction (invalid or corrupted package)", Class: patch.ErrCorrupt}, // of what is installed
		{Words: "invalid or corrupted package", Class: patch.ErrUntrusted},
		{Words: "invalid or corrupted database (PGP signature)", Class: patch.ErrUntrusted},
		{Words: "PGP signature", Class: patch.ErrUntrusted},
		{Words: "missing required signature", Class: patch.ErrUntrusted},
		{Words: "is unknown trust", Class: patch.ErrUntrusted},
		{Words: "is marginal trust", Class: patch.ErrUntrusted},
		{Words: "is invalid", Class: patch.ErrUntrusted},
		{Words: "Maximum file size exceeded", Class: patch.ErrUntrusted},
		{Words: "invalid or corrupted database", Class: patch.ErrCorrupt},
		{Words: "database is inconsistent", Class: patch.ErrCorrupt},
		{Words: "could not fully load metadata", Class: patch.ErrCorrupt},
		{Words: "error while reading package", Class: patch.ErrCorrupt},
		{Words: "target not found", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "database file for", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered}, // "... does not exist"
		{Words: "returned error: 404"},
		{Words: "failed retrieving file"},
		{Words: "failed to retrieve some files"},
		{Words: "failed to synchronize"},
		{Words: "Could not resolve host"},
		{Words: "unable to satisfy dependency", Class: patch.ErrPermanent},
		{Words: "could not satisfy dependencies", Class: patch.ErrPermanent},
		{Words: "breaks dependency", Class: patch.ErrPermanent},
		{Words: "unresolvable package conflicts", Class: patch.ErrPermanent},
		{Words: "conflicting dependencies", Class: patch.ErrPermanent},
		{Words: "exists in filesystem", Class: patch.ErrPermanent},
		{Words: "cannot perform this operation unless you are root", Class: patch.ErrPermanent},
		{Words: "Read-only file system", Class: patch.ErrPermanent},
		{Words: "Permission denied", Class: patch.ErrPermanent},
	}
}
