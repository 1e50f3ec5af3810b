package signs

import (
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
)

// Flatpak is what flatpak and libostree say. The words are from flatpak 1.14 and libostree 2022.7.
func Flatpak() []Sign {
	return []Sign{
		{Words: "No space left on device", Class: patch.ErrDiskFull},
		{Words: "Not enough disk space", Class: patch.ErrDiskFull},
		{Words: "would be exceeded", Class: patch.ErrDiskFull}, // min-free-space-size
		{Words: "Disk quota exceeded", Class: patch.ErrDiskFull},
		{Words: "but no signatures found", Class: patch.ErrUntrusted},
		{Words: "no summary signatures found", Class: patch.ErrUntrusted},
		{Words: "checksum expected=", Class: patch.ErrUntrusted},
		{Words: "Corrupted archive file", Class: patch.ErrUntrusted}, // one that was fetched
		{Words: "Can't check signature", Class: patch.ErrUntrusted},
		{Words: "none are in trusted keyring", Class: patch.ErrUntrusted},
		{Words: "BAD signature", Class: patch.ErrUntrusted},
		{Words: "in ref binding metadata", Class: patch.ErrUntrusted}, // the commit is one of something else
		{Words: "Not normal form", Class: patch.ErrUntrusted},
		{Words: "Couldn't parse config file", Class: patch.ErrCorrupt},
		{Words: "opening repo", Class: patch.ErrCorrupt},
		{Words: "not matching expected metadata", Class: patch.ErrCorrupt},
		{Words: "No such metadata object", Class: patch.ErrCorrupt},
		{Words: "Couldn't find file object", Class: patch.ErrCorrupt},
		{Words: "is masked", Class: patch.ErrNeedsUser},
		{Words: "not allowed for user", Class: patch.ErrNeedsUser},
		{Words: "policy prevents", Class: patch.ErrNeedsUser},
		{Words: "parental controls", Class: patch.ErrNeedsUser},
		{Words: " not installed", Class: patch.ErrNotApplicable},
		{Words: "needs a later flatpak version", Class: patch.ErrPermanent},
		{Words: "\" not found", Class: patch.ErrPermanent}, // a remote
		{Words: "No such ref", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "Nothing matches", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "Read-only file system", Class: patch.ErrPermanent},
		{Words: "Permission denied", Class: patch.ErrPermanent},
		{Words: "Server returned status"},
		{Words: "no summary found"},
		{Words: "Couldn't connect to server"},
		{Words: "Could not resolve host"},
	}
}
