package signs

import (
	"slices"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
)

// DNF is what dnf says, with what rpm says through it. The words are from dnf 4.14.
func DNF() []Sign {
	return slices.Concat([]Sign{
		{Words: "already locked by", Class: patch.ErrBusy},
		{Words: "Waiting for process with pid", Class: patch.ErrBusy},
		{Words: "can't create transaction lock", Class: patch.ErrBusy},
		{Words: "No space left on device", Class: patch.ErrDiskFull},
		{Words: "Not enough free space", Class: patch.ErrDiskFull},
		{Words: "more space needed on the", Class: patch.ErrDiskFull},
		{Words: "GPG check FAILED", Class: patch.ErrUntrusted},
		{Words: "GPG Keys are configured as", Class: patch.ErrUntrusted},
		{Words: "is not signed", Class: patch.ErrUntrusted},
		{Words: "GPG verification is enabled, but GPG signature", Class: patch.ErrUntrusted},
		{Words: "repomd.xml GPG signature verification error", Class: patch.ErrUntrusted},
		{Words: "Bad GPG signature", Class: patch.ErrUntrusted},
		{Words: "Public key for", Class: patch.ErrUntrusted},
		{Words: "checksum doesn't match", Class: patch.ErrUntrusted},
		{Words: "does not match its checksum", Class: patch.ErrUntrusted},
		{Words: "Checksum error", Class: patch.ErrUntrusted},
		{Words: "Package checksum doesn", Class: patch.ErrUntrusted},
		{Words: "Downloading successful, but checksum", Class: patch.ErrUntrusted},
		{Words: "Inconsistent server data", Class: patch.ErrUntrusted},
		{Words: "Parsing repomd.xml failed", Class: patch.ErrUntrusted},
		{Words: " is a duplicate with ", Class: patch.ErrCorrupt},
		{Words: "All matches were filtered out by exclude filtering", Class: patch.ErrNeedsUser},
		{Words: "Status code: 404"},
		{Words: "Curl error"},
		{Words: "Cannot download"},
		{Words: "No more mirrors to try"},
		{Words: "Failed to download metadata"},
		{Words: "No match for argument", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "Unable to find a match", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "No packages marked for", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "Cache-only enabled but no cache", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "nothing provides", Class: patch.ErrPermanent},
		{Words: "conflicts with", Class: patch.ErrPermanent},
		{Words: "Problem:", Class: patch.ErrPermanent},
		{Words: "scriptlet", Class: patch.ErrPermanent},
		{Words: "This command has to be run with superuser privileges", Class: patch.ErrPermanent},
		{Words: "The downloaded packages were saved in cache"},
	}, RPM())
}
