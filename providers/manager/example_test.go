//go:build unix

package manager_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport/local"
	"github.com/patchflow/patchflow/rollout"
)

// A firmware is a package manager for one thing: the file firmware, which holds a version.
type firmware struct{ *manager.Access }

var _ manager.Tool = firmware{}

func (f firmware) run(ctx context.Context, script string, args ...string) (string, error) {
	res, err := f.Script(ctx, script, nil, append([]string{f.Root() + "/firmware"}, args...)...)
	if err == nil && !res.OK() {
		err = errors.New(res.String())
	}
	return strings.TrimSpace(string(res.Stdout)), err
}

func (f firmware) Look(ctx context.Context) (*manager.Sight, error) {
	text, err := f.run(ctx, `cat "$1"`)
	if err != nil {
		return nil, err
	}
	v, err := version.Parse(version.SemVer, text)
	if err != nil {
		return nil, fmt.Errorf("firmware: %w: %w", err, patch.ErrCorrupt)
	}
	p := inventory.Software{Manager: "firmware", Ecosystem: "board", Name: "firmware", Version: v}
	return &manager.Sight{
		Scan:     inventory.Scan{At: f.Now(), Software: []inventory.Software{p}, Coverage: []inventory.Coverage{{Manager: "firmware", Status: inventory.Complete, At: f.Now()}}},
		Packages: []manager.State{{Name: p.Name, Ecosystem: p.Ecosystem, Version: p.Version}},
	}, nil
}

func (f firmware) Ready(context.Context) error { return nil }

func (f firmware) Plan(_ context.Context, j manager.Job) ([]manager.Move, error) {
	return []manager.Move{{Name: "firmware", From: j.Changes[0].From, To: j.Changes[0].To}}, nil
}

func (f firmware) Carry(ctx context.Context, j manager.Job) error {
	_, err := f.run(ctx, `echo "$2" >"$1"`, j.Changes[0].To)
	return err
}

type words struct{}

func (words) CheckName(name string) error { return fit(`^firmware$`, name) }
func (words) CheckVersion(v string) error { return fit(`^[0-9]+(\.[0-9]+){0,2}$`, v) }
func (words) CheckArch(arch string) error { return fit(`^$`, arch) }

func fit(pattern, word string) error {
	if !regexp.MustCompile(pattern).MatchString(word) {
		return fmt.Errorf("firmware: %q: %w", word, patch.ErrPermanent)
	}
	return nil
}

// Four methods make a package manager; what is done once, compared and looked at again afterwards is everybody's.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "board")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(dir+"/firmware", []byte("1.0.0\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	reach := func(context.Context, inventory.Tenant, inventory.DeviceID) (manager.Device, error) {
		return manager.Device{To: local.New(local.Config{}), Root: dir, User: true}, nil
	}
	fleet, err := manager.New(manager.Config{Reach: reach, Now: func() time.Time { return time.Unix(0, 0) }},
		manager.Kind{Name: "firmware", Scheme: version.SemVer, Words: words{}, Open: func(m *manager.Access) manager.Tool { return firmware{m} }})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer fleet.Close(ctx)
	task := rollout.Task{ID: "acme:q1/test/ada/install/1", Tenant: "acme", Device: "ada", Op: rollout.OpInstall, Content: rollout.Content{Patches: []rollout.Pinned{{
		ID: "fw", Packages: []patch.Package{{Ecosystem: "board", Name: "firmware", Fixed: version.Version{Scheme: version.SemVer, Text: "1.2.0"}}}}}}}
	for range 2 {
		r, err := fleet.Deploy(ctx, task)
		fmt.Println(r.Phase, err)
	}
	task.ID = "acme:q1/test/ada/install/2"
	r, err := fleet.Deploy(ctx, task)
	fmt.Println(r.Phase, r.Fault, err)
	// Output:
	// succeeded <nil>
	// succeeded <nil>
	// failed already-installed <nil>
}
