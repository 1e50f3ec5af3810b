package signs

import (
	"slices"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
)

// Zypper is what zypper says in its errors and questions, with what rpm says through it. The words are from zypper 1.14.
func Zypper() []Sign {
	return slices.Concat([]Sign{
		{Words: "System management is locked by", Class: patch.ErrBusy},
		{Words: "scriptlet failed, exit status", Class: patch.ErrPermanent},
		{Words: "No space left on device", Class: patch.ErrDiskFull},
		{Words: "Not enough disk space", Class: patch.ErrDiskFull},
		{Words: "Signature verification failed", Class: patch.ErrUntrusted},
		{Words: "is signed with an unknown key", Class: patch.ErrUntrusted},
		{Words: "signing key received", Class: patch.ErrUntrusted},
		{Words: "is unsigned", Class: patch.ErrUntrusted},
		{Words: "is not signed", Class: patch.ErrUntrusted},
		{Words: "Digest verification failed", Class: patch.ErrUntrusted},
		{Words: "does not match the expected checksum", Class: patch.ErrUntrusted},
		{Words: "Wrong digest for", Class: patch.ErrUntrusted},
		{Words: "unwanted checksum", Class: patch.ErrUntrusted},
		{Words: "failed integrity check", Class: patch.ErrUntrusted},
		{Words: "exceeded the expected filesize", Class: patch.ErrUntrusted},
		{Words: "remove lock to allow", Class: patch.ErrNeedsUser},
		{Words: "agree with the terms of the license", Class: patch.ErrNeedsUser},
		{Words: "file conflict", Class: patch.ErrPermanent},
		{Words: "not found on medium"},
		{Words: "Download (curl) error"},
		{Words: "Error trying to read from"},
		{Words: "Valid metadata not found"},
		{Words: "Problem retrieving files"},
		{Words: "No provider of", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "Argument resolves to no package", Class: patch.ErrPermanent, Cause: manager.ErrNotOffered},
		{Words: "Problem:", Class: patch.ErrPermanent},
		{Words: "Root privileges are required", Class: patch.ErrPermanent},
	}, RPM())
}
