package winget

import (
	"bytes"
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/transport"
)

// good says whether a code is a good end that wants a restart: APPINSTALLER_CLI_ERROR_INSTALL_REBOOT_REQUIRED_TO_FINISH and _REBOOT_INITIATED.
func good(code uint32) bool { return code == 0 || code == 0x8A150109 || code == 0x8A15010B }

// classOf returns what a code of winget means, and whether it is one. The numbers are those that winget is built with
// (microsoft/winget-cli, src/AppInstallerSharedLib/Public/AppInstallerErrors.h), and those of "winget return codes" in the same repository: those of
// installers begin with 0x8A150101. Where another table differs, winget returns none of its numbers.
func classOf(code uint32) (class error, known bool) {
	switch code {
	case 0x8A150101, // the application runs
		0x8A150102, // another installation
		0x8A150103, // files are in use
		0x8A150111, // in use by another application
		0x8A15010A, // a restart is due before
		0x8A15006D: // a service is busy
		return patch.ErrBusy, true
	case 0x8A150105: // the disk is full
		return patch.ErrDiskFull, true
	case 0x8A15000A, 0x8A15000B, 0x8A15000F: // the index or the source is corrupt
		return patch.ErrCorrupt, true
	case 0x8A150041, 0x8A150046, // agreements
		0x8A150068, // a pin
		0x8A15010C: // somebody has cancelled it
		return patch.ErrNeedsUser, true
	case 0x8A150010, 0x8A150113, // no installer for this system
		0x8A15002B: // no applicable update
		return patch.ErrNotApplicable, true
	case 0x8A15004F, 0x8A15010E: // what is there is newer
		return patch.ErrSuperseded, true
	case 0x8A150061, 0x8A15010D:
		return patch.ErrAlreadyInstalled, true
	case 0x8A150011, // the hash
		0x8A15002D, 0x8A150060, // security check, scan for malware
		0x8A15003F, // the source was tampered with
		0x8A15001A, // the source is not secure
		0x8A15002E, // the size of what was downloaded
		0x8A15005E: // the certificate of the server
		return patch.ErrUntrusted, true
	case 0x8A150014, 0x8A150017: // no package, no manifest
		return fmt.Errorf("%w: %w", manager.ErrNotOffered, patch.ErrPermanent), true
	case 0x8A150015, 0x8A15001B, 0x8A15001C, 0x8A150114, // no source, policies, the installer cannot upgrade
		0x8A150002, 0x8A150016, 0x8A150019, 0x8A15003A, 0x8A150050, 0x8A150056, 0x8A150104, 0x8A150108, 0x8A15010F, 0x8A150110, 0x8A150112:
		return patch.ErrPermanent, true
	case 0x8A150008, 0x8A15003B, 0x8A150040, 0x8A150044, 0x8A150045, 0x8A15004B, 0x8A150086, 0x8A150106, 0x8A150107: // download, sources, memory, network
		return nil, true
	}
	return nil, false
}

// Classify returns an error for winget that has not ended well, by its exit code, which is a HRESULT: one of winget's own, or
// one of Windows as [wua.HRESULT] knows them. What nobody has classified is transient, and what winget says is told and not judged: it
// is translated.
func Classify(r transport.Result) error {
	code := uint32(int64(r.Code)) // an exit code of Windows has 32 bits, whatever its sign here
	if r.Ended && r.Signal == "" && good(code) {
		return nil
	}
	said := bytes.TrimSpace(r.Stdout)
	if i := bytes.LastIndexByte(said, '\n'); i >= 0 {
		said = said[i+1:]
	}
	class, known := classOf(code)
	switch {
	case !r.Ended || r.Signal != "":
		return fmt.Errorf("%s: %.300s", r, said)
	case known && class == nil:
		return fmt.Errorf("0x%08X: %.300s", code, said)
	case known:
		return fmt.Errorf("0x%08X: %.300s: %w", code, said, class)
	case code == 126 || code == 127:
		return fmt.Errorf("%s: %.300s: %w", r, bytes.TrimSpace(r.Stderr), patch.ErrPermanent)
	}
	return fmt.Errorf("%.300s: %w", said, wua.HRESULT(code))
}
