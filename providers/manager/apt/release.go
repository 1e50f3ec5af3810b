package apt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
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
	var release Release
	lines := bufio.NewScanner(io.LimitReader(r, 64<<10))
	for n := 1; lines.Scan(); n++ {
		name, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		switch name {
		case "ID":
			release.ID = unquote(value)
		case "VERSION_ID":
			release.Version = unquote(value)
		case "VERSION_CODENAME":
			release.Codename = unquote(value)
		}
	}
	if err := lines.Err(); err != nil {
		return Release{}, fmt.Errorf("apt: os-release: %w", err)
	}
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

// unquote removes the quotes around a value. Values with escapes in them are of no interest here.
func unquote(value string) string {
	for _, quote := range []string{`"`, `'`} {
		if len(value) >= 2 && strings.HasPrefix(value, quote) && strings.HasSuffix(value, quote) {
			return value[1 : len(value)-1]
		}
	}
	return value
}
