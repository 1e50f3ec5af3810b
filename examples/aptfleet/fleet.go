package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/patchflow/patchflow/internal/aptbed"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source/debian"
)

const (
	tenant   = inventory.Tenant("acme")
	stable   = "stable"
	security = "stable-security"
	devices  = 12
	testers  = 3 // devices of the ring test
)

// A fleet is the devices of the demonstration. It is the vendor's database of devices too.
type fleet struct {
	dir     string
	repo    *aptbed.Repo
	devices map[inventory.DeviceID]*aptbed.Root
	order   []inventory.DeviceID
	apt     *apt.Fleet
}

// newFleet makes the archive and the devices, with packages of version 1.0. The error says what this machine lacks.
func newFleet(ctx context.Context) (f *fleet, err error) {
	if missing := aptbed.Missing(); len(missing) > 0 {
		return nil, fmt.Errorf("aptfleet: this machine has no %s: it needs Debian or Ubuntu with the packages apt, dpkg and gpg", strings.Join(missing, ", no "))
	}
	f = &fleet{devices: make(map[inventory.DeviceID]*aptbed.Root)}
	if f.dir, err = aptbed.Scratch("aptfleet"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	arch, err := aptbed.Arch(ctx)
	if err != nil {
		return nil, err
	}
	if f.repo, err = aptbed.NewRepo(ctx, f.dir); err != nil {
		return nil, err
	}
	for suite, p := range map[string][]aptbed.Package{
		stable:   {{Name: "openvault", Version: "1.0"}, {Name: "ledger", Version: "1.0", Conffile: "/etc/ledger.conf"}},
		security: nil,
	} {
		if err := errors.Join(f.repo.Add(suite, p...), f.repo.Publish(ctx, suite, arch, time.Time{})); err != nil {
			return nil, err
		}
	}
	first, err := aptbed.NewRoot(filepath.Join(f.dir, "device-01"), arch, f.repo, "file:"+f.repo.Dir, stable, security)
	if err != nil {
		return nil, err
	}
	for _, argv := range [][]string{{"apt-get", "-qq", "update"}, {"apt-get", "-qq", "-y", "install", "openvault", "ledger"}} {
		if _, err := first.Run(ctx, argv...); err != nil {
			return nil, err
		}
	}
	for i := range devices {
		id := inventory.DeviceID(fmt.Sprintf("device-%02d", i+1))
		root := first
		if i > 0 {
			if root, err = first.Copy(filepath.Join(f.dir, string(id))); err != nil {
				return nil, err
			}
		}
		if i%3 == 1 { // it still has its data in the old form
			if err := os.WriteFile(filepath.Join(root.Dir, "etc/ledger.old"), nil, 0o644); err != nil {
				return nil, err
			}
		}
		f.devices[id] = root
		f.order = append(f.order, id)
	}
	f.apt, err = apt.New(apt.Config{Poll: 10 * time.Millisecond, Reach: func(_ context.Context, _ inventory.Tenant, d inventory.DeviceID) (apt.Device, error) {
		root, ok := f.devices[d]
		if !ok {
			return apt.Device{}, fmt.Errorf("no device %q: %w", d, patch.ErrPermanent)
		}
		return apt.Device{To: root.Transport(), Root: root.Dir, User: true}, nil
	}})
	return f, err
}

func (f *fleet) close() error {
	var errs []error
	if f.apt != nil {
		errs = append(errs, f.apt.Close(context.Background()))
	}
	if f.repo != nil {
		errs = append(errs, f.repo.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}

// publish adds a package to the security archive, of which all devices fetch the index.
func (f *fleet) publish(ctx context.Context, p aptbed.Package) error {
	if err := errors.Join(f.repo.Add(security, p), f.repo.Publish(ctx, security, f.devices[f.order[0]].Arch, time.Time{})); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, id := range f.order {
		g.Go(func() error { return f.apt.Refresh(ctx, tenant, id) })
	}
	return g.Wait()
}

func (f *fleet) publishFix(ctx context.Context) error {
	return f.publish(ctx, aptbed.Package{Name: "openvault", Version: "1.1", Postinst: `mkdir -p $DPKG_ROOT/run && echo due >$DPKG_ROOT/run/reboot-required`})
}

func (f *fleet) publishBroken(ctx context.Context) error {
	return f.publish(ctx, aptbed.Package{Name: "ledger", Version: "2.0", Conffile: "/etc/ledger.conf",
		Postinst: `if [ -e $DPKG_ROOT/etc/ledger.old ]; then echo "ledger: cannot migrate" >&2; exit 1; fi`})
}

// offered returns the patches that the archive of the first device offers.
func (f *fleet) offered(ctx context.Context) (patch.Source, error) {
	indices, err := apt.Root{Dir: f.devices[f.order[0]].Dir}.Indices(ctx)
	if err != nil {
		return nil, err
	}
	return debian.New(debian.Config{Codename: stable, Version: "12", Indices: indices})
}

// Devices implements [inventory.Source] by scanning each device.
func (f *fleet) Devices(ctx context.Context, q inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		for i, id := range f.order {
			d := inventory.Device{Tenant: tenant, ID: id, Platform: patch.Platform{OS: "debian", Version: "12", Arch: f.devices[id].Arch}, Zone: "UTC", LastSeen: time.Now()}
			if i < testers {
				d.Labels = map[string]string{"ring": "test"}
			}
			scan, err := f.apt.Scan(ctx, d)
			if err != nil {
				yield(inventory.Device{}, err)
				return
			}
			if d, err = d.Merge(scan); !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// check asks dpkg-query itself, on every device.
func (f *fleet) check(ctx context.Context, out io.Writer, want map[string]string) error {
	for _, id := range f.order {
		have, err := f.devices[id].Installed(ctx)
		if err != nil {
			return err
		}
		for name, version := range want {
			if have[name] != version+" installed" {
				return fmt.Errorf("aptfleet: %s: dpkg-query says %s %q, want %s", id, name, have[name], version)
			}
		}
	}
	_, err := fmt.Fprintf(out, "   dpkg-query says of all %d devices: openvault %s, ledger %s\n\n", len(f.order), want["openvault"], want["ledger"])
	return err
}
