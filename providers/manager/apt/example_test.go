package apt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source/debian"
)

func ExampleReadStatus() {
	status := `Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl
Version: 3.0.16-1~deb12u1

Package: dbus
Status: install ok half-configured
Architecture: amd64
Version: 1.14.10-1~deb12u1

`
	installed, err := apt.ReadStatus(strings.NewReader(status), "Debian:12")
	for _, s := range installed {
		fmt.Println(s.Name, s.Version, "from", s.Source)
	}
	var damaged *apt.DamagedError
	if errors.As(err, &damaged) {
		fmt.Println(damaged.Name, "is", damaged.State, "-", patch.FaultOf(err))
	}
	// Output:
	// libssl3 3.0.16-1~deb12u1 from openssl
	// dbus is half-configured - corrupt
}

func ExampleReadRelease() {
	release, err := apt.ReadRelease(strings.NewReader("ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"))
	fmt.Println(release.Ecosystem(), release.Codename, err)
	// Output:
	// Debian:12 bookworm <nil>
}

// A machine tells by its own files what it runs and what apt last fetched for it; no command runs and no network is used.
func ExampleRoot() {
	dir, err := os.MkdirTemp("", "root")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for name, content := range map[string]string{
		"etc/os-release":                       "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
		"var/lib/dpkg/status":                  "Package: jq\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.6-2.1+deb12u1\n\n",
		"var/lib/apt/lists/h_dists_b_Packages": "Package: jq\nArchitecture: amd64\nVersion: 1.6-2.1+deb12u3\n\n",
		"var/lib/apt/lists/h_dists_b_Release":  "Codename: bookworm-security\nLabel: Debian-Security\n",
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
			fmt.Println(err)
			return
		}
	}
	ctx := context.Background()
	root := apt.Root{Dir: dir}

	scan, err := root.Scan(ctx, inventory.Device{ID: "ada"})
	fmt.Println(scan.Software[0].Name, scan.Software[0].Version, scan.Coverage[0].Status, err)
	release, err := root.Release()
	fmt.Println(release.Ecosystem(), err)
	indices, err := root.Indices(ctx)
	fmt.Println(indices[0].Origin, indices[0].Security, err)

	source, err := debian.New(debian.Config{Codename: release.Codename, Version: release.Version, Indices: indices})
	if err != nil {
		fmt.Println(err)
		return
	}
	for p, err := range source.Patches(ctx, patch.Query{}) {
		fmt.Println(p.ID, p.Classification, err)
	}
	// Output:
	// jq 1.6-2.1+deb12u1 complete <nil>
	// Debian:12 <nil>
	// bookworm-security true <nil>
	// debian:bookworm/jq=1.6-2.1+deb12u3 security <nil>
}
