package rpm

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/patchflow/patchflow/internal/osrelease"
)

// A Release is what os-release(5) says of an installed system.
type Release struct {
	ID         string // "almalinux", "rocky", "rhel", "fedora", "sles"
	Version    string // VERSION_ID: "9.4", "2023", "15.5"; "" where the file does not say (openSUSE Tumbleweed has a date)
	PrettyName string // PRETTY_NAME: "SUSE Linux Enterprise Server 15 SP5"
}

// Major returns the part of the version before the first dot: "9".
func (r Release) Major() string {
	major, _, _ := strings.Cut(r.Version, ".")
	return major
}

// Ecosystem returns whose names and versions the packages of the release are, as OSV spells it: "AlmaLinux:9", "Rocky Linux:9",
// "openSUSE:Leap 15.5". Red Hat, whose ecosystems there are products and not systems, is "Red Hat:enterprise_linux:9". Of those
// that OSV does not know, some have names in the same manner ("Fedora:43", "Amazon Linux:2023", "Oracle Linux:9", "CentOS:7"), and
// others their ID and whole version.
func (r Release) Ecosystem() string {
	switch r.ID {
	case "almalinux":
		return "AlmaLinux:" + r.Major()
	case "rocky":
		return "Rocky Linux:" + r.Major()
	case "rhel":
		return "Red Hat:enterprise_linux:" + r.Major()
	case "azurelinux":
		return "Azure Linux:" + r.Major()
	case "ol":
		return "Oracle Linux:" + r.Major()
	case "centos":
		return "CentOS:" + r.Major()
	case "amzn":
		return "Amazon Linux:" + r.Version
	case "fedora":
		return "Fedora:" + r.Version
	case "photon":
		return "Photon OS:" + r.Version
	case "mageia":
		return "Mageia:" + r.Version
	case "openEuler":
		// "openEuler 24.03 (LTS-SP1)"
		return "openEuler:" + strings.NewReplacer(" (", "-", ")", "").Replace(strings.TrimPrefix(r.PrettyName, "openEuler "))
	case "opensuse-tumbleweed":
		return "openSUSE:Tumbleweed"
	case "opensuse-leap":
		return "openSUSE:" + strings.TrimPrefix(r.PrettyName, "openSUSE ")
	case "sles", "sled", "sle_hpc", "sles_sap", "sle-micro", "sl-micro":
		return "SUSE:" + strings.TrimPrefix(r.PrettyName, "SUSE ")
	}
	return r.ID + ":" + r.Version
}

// ReadRelease reads an os-release file. A file without ID is an error, and so is one from which no ecosystem follows: nothing can
// be said of packages that belong to no release.
func ReadRelease(r io.Reader) (Release, error) {
	values, err := osrelease.Read(r, "ID", "VERSION_ID", "PRETTY_NAME")
	if err != nil {
		return Release{}, fmt.Errorf("rpm: %w", err)
	}
	release := Release{ID: values["ID"], Version: values["VERSION_ID"], PrettyName: values["PRETTY_NAME"]}
	if release.ID == "" {
		return Release{}, errors.New("rpm: os-release: no ID")
	}
	if eco := release.Ecosystem(); strings.HasSuffix(eco, ":") {
		return Release{}, fmt.Errorf("rpm: os-release: %s has no VERSION_ID", release.ID)
	} else if strings.Trim(eco, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 :._-") != "" {
		return Release{}, fmt.Errorf("rpm: os-release: %q is neither a name nor a version", abbreviate(eco))
	}
	return release, nil
}
