package installer

import (
	"bytes"
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// Exit codes of Windows Installer that are not only classified.
const (
	unknownProduct         = 1605
	productUninstalled     = 1614
	successRebootInitiated = 1641
	successRebootRequired  = 3010
)

// A meaning is what an exit code says, and its class; nil is transient.
type meaning struct {
	says  string
	class error
}

// codes are those of Microsoft's "MsiExec.exe and InstMsi.exe error messages", and ERROR_DISK_FULL of winerror.h.
func codes() map[int]meaning {
	return map[int]meaning{
		5:    {"access is denied", patch.ErrPermanent},
		112:  {"the disk is full", patch.ErrDiskFull},
		1601: {"the service of Windows Installer could not be reached", nil},
		1602: {"a user has cancelled it", patch.ErrNeedsUser},
		1603: {"it has failed", nil},
		1604: {"it is suspended and incomplete", patch.ErrBusy},
		1605: {"the product is not installed", patch.ErrPermanent},
		1612: {"the source of the installation is not there", patch.ErrPermanent},
		1613: {"a newer Windows Installer is needed", patch.ErrPermanent},
		1614: {"the product is uninstalled", patch.ErrPermanent},
		1618: {"another installation is in progress", patch.ErrBusy},
		1619: {"the package could not be opened", patch.ErrPermanent},
		1620: {"it is no package of Windows Installer", patch.ErrPermanent},
		1622: {"the log could not be opened", patch.ErrPermanent},
		1625: {"a policy forbids it", patch.ErrPermanent},
		1632: {"the folder for temporary files is full or cannot be reached", patch.ErrDiskFull},
		1633: {"it is for another processor", patch.ErrPermanent},
		1638: {"another version of the product is installed", patch.ErrPermanent},
		1639: {"the command is not understood", patch.ErrPermanent},
		1643: {"a policy forbids the patch", patch.ErrPermanent},
		1654: {"it cannot run on this version of Windows", patch.ErrPermanent},
	}
}

// Classify returns an error for msiexec that has not ended well, by its exit code. 3010 and 1641 are good ends that want a restart. A code that is
// not known is [patch.Permanent]. That a command ended otherwise is transient: nothing is known of the installation.
func Classify(r transport.Result) error {
	said := bytes.TrimSpace(bytes.Join([][]byte{r.Stdout, r.Stderr}, []byte(" ")))
	if !r.Ended || r.Signal != "" {
		return fmt.Errorf("%s: %.300s", r, said)
	}
	switch r.Code {
	case 0, successRebootRequired, successRebootInitiated:
		return nil
	}
	is, known := codes()[r.Code]
	switch {
	case !known:
		return fmt.Errorf("%s: %.300s: %w", r, said, patch.ErrPermanent)
	case is.class == nil:
		return fmt.Errorf("%s: %s", r, is.says)
	}
	return fmt.Errorf("%s: %s: %w", r, is.says, is.class)
}

// ClassifyNSIS does the same for a setup program of NSIS, and for an uninstaller. 1 is that a user has cancelled it, and 2 that its script has given
// up (the manual of NSIS, "Error Levels"), which may pass: a program that is to be replaced runs. Other codes are those of a script, and many of them hand on those of Windows Installer.
func ClassifyNSIS(r transport.Result) error {
	if r.Ended && r.Signal == "" {
		switch r.Code {
		case 1:
			return fmt.Errorf("%s: a user has cancelled it: %w", r, patch.ErrNeedsUser)
		case 2:
			return fmt.Errorf("%s: its script has given up", r)
		}
	}
	return Classify(r)
}
