package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/bookworm"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/manager/rpm"
)

// maxInventory bounds a file of devices.
const maxInventory = 512 << 20

// openInventory reads devices from a file; "" stands for the machine that comes along.
func openInventory(name, ecosystem string) ([]inventory.Device, error) {
	if name == "" {
		f, err := bookworm.FS().Open(bookworm.StatusFile)
		if err != nil {
			return nil, fmt.Errorf("assess: inventory: %w", err)
		}
		defer f.Close()
		return machine(f, bookworm.StatusFile, "Debian:12", time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("assess: inventory: %w", err)
	}
	defer f.Close()
	if ecosystem != "" {
		info, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("assess: inventory: %w", err)
		}
		return machine(f, name, ecosystem, info.ModTime().UTC())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxInventory+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("assess: inventory: %w", err)
	case len(text) > maxInventory:
		return nil, fmt.Errorf("assess: inventory: %s has more than %d bytes", name, maxInventory)
	}
	var devices []inventory.Device
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		devices = make([]inventory.Device, 1)
		err = json.Unmarshal(text, &devices[0])
	} else {
		err = json.Unmarshal(text, &devices)
	}
	if err != nil {
		return nil, fmt.Errorf("assess: inventory: %s: %w", name, err)
	}
	if len(devices) == 0 {
		return nil, fmt.Errorf("assess: inventory: %s lists no devices", name)
	}
	return devices, nil
}

// machine makes a device of a list of packages. What could not be read makes the list a partial one.
func machine(r io.Reader, name, ecosystem string, at time.Time) ([]inventory.Device, error) {
	vendor, release, found := strings.Cut(ecosystem, ":")
	if !found {
		return nil, fmt.Errorf("assess: ecosystem %q: want VENDOR:RELEASE, as in Debian:12", ecosystem)
	}
	d := inventory.Device{ID: "machine", Platform: patch.Platform{OS: strings.ToLower(vendor), Version: release}}
	c := inventory.Coverage{Status: inventory.Complete, At: at}
	var err error
	switch vendor {
	case "Debian", "Ubuntu":
		c.Manager, d.Platform.Arch = apt.Manager, "amd64"
		d.Software, err = apt.ReadStatus(r, ecosystem)
	default:
		c.Manager, d.Platform.Arch = rpm.Manager, "x86_64"
		d.Software, err = rpm.ReadQuery(r, ecosystem)
	}
	if err != nil {
		if d.Software == nil || !errors.Is(err, patch.ErrRecord) && !errors.Is(err, patch.ErrCorrupt) {
			return nil, fmt.Errorf("assess: inventory: %s: %w", name, err)
		}
		c.Status, c.Detail = inventory.Partial, err.Error()
	}
	d.Coverage = []inventory.Coverage{c}
	return []inventory.Device{d}, nil
}
