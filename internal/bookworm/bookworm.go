// Package bookworm holds the facts of one real, outdated Debian 12 machine for tests: what it has installed, what the
// archive offers for that, the advisories about it, and what apt itself says it should upgrade. README.md tells where they
// are from; the program in folder reduce makes the files again.
package bookworm

import (
	"bufio"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed data
var data embed.FS

// Names of the files in [FS]. All but the last are compressed with xz.
const (
	StatusFile     = "status.xz" // dpkg's status file
	AdvisoryFile   = "DSA_list.xz"
	UpgradableFile = "upgradable.tsv"
)

// Origins returns the names of the three archives.
func Origins() []string { return []string{"bookworm", "bookworm-updates", "bookworm-security"} }

// IndexFile returns the name of the Packages file of an archive.
func IndexFile(origin string) string { return origin + "_Packages.xz" }

// FS returns the files.
func FS() fs.FS {
	sub, err := fs.Sub(data, "data")
	if err != nil {
		panic(err) // only if the name of the folder above is no path
	}
	return sub
}

// An Upgrade is one line of what apt listed as upgradable.
type Upgrade struct {
	Name, Arch string
	From, To   string
	Origins    []string // the archives that offer To, sorted by name
}

// Security says whether an archive of security updates offers it.
func (u Upgrade) Security() bool {
	for _, origin := range u.Origins {
		if strings.HasSuffix(origin, "-security") {
			return true
		}
	}
	return false
}

// Upgradable returns the 136 packages that apt would upgrade on the machine, 81 of them from the security archive.
func Upgradable() ([]Upgrade, error) {
	table, err := fs.ReadFile(FS(), UpgradableFile)
	if err != nil {
		return nil, err
	}
	var upgrades []Upgrade
	for lines := bufio.NewScanner(bytes.NewReader(table)); lines.Scan(); {
		cols := strings.Split(lines.Text(), "\t")
		if len(cols) != 5 {
			return nil, fmt.Errorf("bookworm: %s: line %d: %d columns, want 5", UpgradableFile, len(upgrades)+1, len(cols))
		}
		upgrades = append(upgrades, Upgrade{Name: cols[0], Arch: cols[1], From: cols[2], To: cols[3], Origins: strings.Split(cols[4], ",")})
	}
	return upgrades, nil
}
