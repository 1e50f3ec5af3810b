package wua

import (
	"fmt"

	"github.com/patchflow/patchflow/patch"
)

// HRESULT is a code of Windows for how something ended, and an error if it is one: its highest bit is set.
type HRESULT uint32

// Error implements error.
func (h HRESULT) Error() string {
	if name := known(h).name; name != "" {
		return fmt.Sprintf("0x%08X (%s)", uint32(h), name)
	}
	return fmt.Sprintf("0x%08X", uint32(h))
}

// Unwrap returns what the code means for a rollout. What nobody has classified is transient.
func (h HRESULT) Unwrap() error { return known(h).class }

// A meaning is what is known of a code.
type meaning struct {
	name  string
	class error
}

// known returns what is known of a code. The names and numbers are those of Microsoft's documentation ("Windows Update error codes by
// component", "Windows Update common errors and mitigation", and winerror.h).
func known(h HRESULT) meaning {
	switch h {
	case 0x00240006:
		return meaning{"WU_S_ALREADY_INSTALLED", patch.ErrAlreadyInstalled}
	case 0x00240007:
		return meaning{"WU_S_ALREADY_UNINSTALLED", patch.ErrAlreadyInstalled}
	case 0x80240009:
		return meaning{"WU_E_OPERATIONINPROGRESS", patch.ErrBusy}
	case 0x8024000B:
		return meaning{"WU_E_CALL_CANCELLED", patch.ErrBusy}
	case 0x80240016:
		return meaning{"WU_E_INSTALL_NOT_ALLOWED", patch.ErrBusy}
	case 0x80240017:
		return meaning{"WU_E_NOT_APPLICABLE", patch.ErrNotApplicable}
	case 0x8024001E:
		return meaning{"WU_E_SERVICE_STOP", patch.ErrBusy}
	case 0x80240022:
		return meaning{"WU_E_ALL_UPDATES_FAILED", nil}
	case 0x80240023:
		return meaning{"WU_E_EULAS_DECLINED", patch.ErrNeedsUser}
	case 0x80240024:
		return meaning{"WU_E_NO_UPDATE", patch.ErrNotApplicable}
	case 0x80240028:
		return meaning{"WU_E_UNINSTALL_NOT_ALLOWED", patch.ErrPermanent}
	case 0x8024002E:
		return meaning{"WU_E_WU_DISABLED", patch.ErrPermanent}
	case 0x80246002:
		return meaning{"WU_E_DM_INCORRECTFILEHASH", patch.ErrUntrusted}
	case 0x80246007:
		return meaning{"WU_E_DM_NOTDOWNLOADED", nil}
	case 0x80070005:
		return meaning{"E_ACCESSDENIED", patch.ErrPermanent}
	case 0x80070020:
		return meaning{"ERROR_SHARING_VIOLATION", patch.ErrBusy}
	case 0x80070070:
		return meaning{"ERROR_DISK_FULL", patch.ErrDiskFull}
	case 0x80070422:
		return meaning{"ERROR_SERVICE_DISABLED", patch.ErrPermanent}
	case 0x80070652:
		return meaning{"ERROR_INSTALL_ALREADY_RUNNING", patch.ErrBusy}
	case 0x80070BC9:
		return meaning{"ERROR_FAIL_REBOOT_REQUIRED", patch.ErrBusy}
	case 0x80073701:
		return meaning{"ERROR_SXS_ASSEMBLY_MISSING", patch.ErrCorrupt}
	case 0x80073712:
		return meaning{"ERROR_SXS_COMPONENT_STORE_CORRUPT", patch.ErrCorrupt}
	case 0x800F081F:
		return meaning{"CBS_E_SOURCE_MISSING", patch.ErrCorrupt}
	case 0x800F0831:
		return meaning{"CBS_E_STORE_CORRUPTION", patch.ErrCorrupt}
	case 0x80096010:
		return meaning{"TRUST_E_BAD_DIGEST", patch.ErrUntrusted}
	case 0x800B0100:
		return meaning{"TRUST_E_NOSIGNATURE", patch.ErrUntrusted}
	case 0x800B0101:
		return meaning{"CERT_E_EXPIRED", patch.ErrUntrusted}
	case 0x800B0109:
		return meaning{"CERT_E_UNTRUSTEDROOT", patch.ErrUntrusted}
	}
	return network(h)
}

// network returns what is known of the codes of the network, all of which pass.
func network(h HRESULT) meaning {
	switch h {
	case 0x80072EE2:
		return meaning{"ERROR_INTERNET_TIMEOUT", nil}
	case 0x80072EE7:
		return meaning{"ERROR_INTERNET_NAME_NOT_RESOLVED", nil}
	case 0x80072EFD:
		return meaning{"ERROR_INTERNET_CANNOT_CONNECT", nil}
	case 0x80240438:
		return meaning{"WU_E_PT_ENDPOINT_UNREACHABLE", nil}
	case 0x8024401C:
		return meaning{"WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT", nil}
	case 0x80244022:
		return meaning{"WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL", nil}
	case 0x8024402C:
		return meaning{"WU_E_PT_WINHTTP_NAME_NOT_RESOLVED", nil}
	}
	return meaning{}
}
