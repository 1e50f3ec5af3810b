package apt

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
)

const (
	lower   = "abcdefghijklmnopqrstuvwxyz0123456789"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// CheckName returns an error, which wraps [patch.ErrPermanent], for what is no name of a package, or one that apt-get takes
// for something else: an option, a pattern, a file, a wish to remove. Names are those of Debian's policy manual (5.6.1), of
// at most 128 bytes, that do not end with "-".
func CheckName(name string) error {
	if len(name) < 2 || len(name) > 128 || !strings.Contains(lower, name[:1]) || strings.Trim(name, lower+"+-.") != "" || strings.HasSuffix(name, "-") {
		return fmt.Errorf("apt: %.60q is no name of a package: %w", name, patch.ErrPermanent)
	}
	return nil
}

// CheckVersion returns an error, which wraps [patch.ErrPermanent], for what is no version, or one that apt-get reads
// differently: after "+" or "-" at its end it would install or remove something else. Versions are those of deb-version(7),
// of at most 128 bytes.
func CheckVersion(v string) error {
	epoch, rest, found := strings.Cut(v, ":")
	if !found {
		epoch, rest = "0", v
	}
	if epoch == "" || strings.Trim(epoch, "0123456789") != "" || len(v) > 128 || rest == "" || !strings.Contains("0123456789", rest[:1]) ||
		strings.Trim(rest, letters+".+~-") != "" || strings.HasSuffix(rest, "+") || strings.HasSuffix(rest, "-") {
		return fmt.Errorf("apt: %.60q is no version: %w", v, patch.ErrPermanent)
	}
	return nil
}

// checkArch does the same for an architecture, whose absence is none.
func checkArch(arch string) error {
	if len(arch) > 64 || strings.Trim(arch, lower+"-") != "" || strings.HasPrefix(arch, "-") || strings.HasSuffix(arch, "-") {
		return fmt.Errorf("apt: %.60q is no architecture: %w", arch, patch.ErrPermanent)
	}
	return nil
}
