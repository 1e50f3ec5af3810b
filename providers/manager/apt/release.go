package apt

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/patchflow/patchflow/internal/osrelease"
)

// A Release is what os-release(5) says of an installed system.
type Release struct {
	ID       string // "debian", "ubuntu"
	Version  string // VERSION_ID: "12", "22.04"
	Codename string // VERSION_CODENAME: "bookworm"; "" where the file does not say
}

// Vendor returns the name of the distribution as OSV spells it: "Debian", "Ubuntu"; of others the ID with a capital.
func (r Release) Vendor() string {
	if r.ID == "" {
		return ""
	}
	return strings.ToUpper(r.ID[:1]) + r.ID[1:]
}

// Ecosystem returns whose names and versions the packages of the release are: "Debian:12", "Ubuntu:22.04".
func (r Release) Ecosystem() string { return r.Vendor() + ":" + r.Version }

// ReadRelease reads an os-release file. A file without ID or VERSION_ID is an error: Debian testing and unstable have no
// number, and nothing can be said of packages that belong to no release.
func ReadRelease(r io.Reader) (Release, error) {
	values, err := osrelease.Read(r, "ID", "VERSION_ID", "VERSION_CODENAME")
	if err != nil {
		return Release{}, fmt.Errorf("apt: %w", err)
	}
	release := Release{ID: values["ID"], Version: values["VERSION_ID"], Codename: values["VERSION_CODENAME"]}
	switch {
	case release.ID == "":
		return Release{}, errors.New("apt: os-release: no ID")
	case release.Version == "":
		return Release{}, fmt.Errorf("apt: os-release: %s has no VERSION_ID", release.ID)
	}
	for _, value := range []string{release.ID, release.Version, release.Codename} {
		if strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
			return Release{}, fmt.Errorf("apt: os-release: %q is neither an ID nor a version", value)
		}
	}
	return release, nil
}
