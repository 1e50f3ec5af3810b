package sshfleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/sqlite"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/ssh"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// ordersEnv names the file with the orders of the process that TestController is.
const ordersEnv = "PATCHFLOW_SSHFLEET_ORDERS"

const tenant inventory.Tenant = "acme"

func key() rollout.Key { return rollout.Key{Tenant: tenant, ID: "q1"} }

// orders are what a controller is told. All of it is the same for the next one, should it be killed.
type orders struct {
	Dir        string // the journal lies there
	Names      []inventory.DeviceID
	Addrs      []string // of the devices
	Key        string   // files, as in fleetbed.Bed
	KnownHosts string
	Root       string // file system of the first device: what the archive offers is read from it
	Arch       string
	Restart    []string // a device
	Clock      clock
	Policy     policy.Policy
	Patience   time.Duration // it ends after so long, and says what it was waiting for
}

// A clock shows another hour than the machine's, and may go faster: a night at one in the afternoon.
type clock struct {
	Real, Shown time.Time // that was Real when it showed Shown
	Speed       int       // 1 is as fast as the machine's
}

func (c clock) at(real time.Time) time.Time {
	return c.Shown.Add(real.Sub(c.Real) * time.Duration(c.Speed))
}

// Now implements [runner.Clock].
func (c clock) Now() time.Time { return c.at(time.Now()) }

// Busy implements [runner.Clock].
func (clock) Busy(int) {}

// Wake implements [runner.Clock].
func (c clock) Wake(at time.Time) (<-chan time.Time, func()) {
	timer := time.NewTimer(at.Sub(c.Now()) / time.Duration(c.Speed))
	return timer.C, func() { timer.Stop() }
}

// A controller reaches the devices, and lists them.
type controller struct {
	orders
	ssh map[inventory.DeviceID]*ssh.Device
	apt *apt.Fleet
}

func newController(o orders) (*controller, error) {
	c := &controller{orders: o, ssh: make(map[inventory.DeviceID]*ssh.Device)}
	for i, id := range o.Names {
		d, err := ssh.New(ssh.Config{Addr: o.Addrs[i], User: "root", KeyFiles: []string{o.Key}, KnownHosts: []string{o.KnownHosts},
			DialTimeout: 2 * time.Second, KeepAlive: time.Second, KeepAliveTimeout: 2 * time.Second, Grace: 2 * time.Second})
		if err != nil {
			return nil, err
		}
		c.ssh[id] = d
	}
	var err error
	c.apt, err = apt.New(apt.Config{Poll: 300 * time.Millisecond, Lock: 5 * time.Second, Limit: 2 * time.Minute, Restart: o.Restart, Now: o.Clock.Now,
		Reach: func(_ context.Context, _ inventory.Tenant, id inventory.DeviceID) (apt.Device, error) {
			d, ok := c.ssh[id]
			if !ok {
				return apt.Device{}, fmt.Errorf("no device %q: %w", id, patch.ErrPermanent)
			}
			return apt.Device{To: d}, nil
		}})
	return c, err
}

// each does something on all devices, some of them at once.
func (c *controller) each(ctx context.Context, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range c.Names {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

// Devices implements [inventory.Source] by a look at each device.
func (c *controller) Devices(ctx context.Context, _ inventory.Query) iter.Seq2[inventory.Device, error] {
	return func(yield func(inventory.Device, error) bool) {
		all := make([]inventory.Device, len(c.Names))
		err := c.each(ctx, func(ctx context.Context, i int) error {
			d := inventory.Device{Tenant: tenant, ID: c.Names[i], Platform: patch.Platform{OS: "debian", Version: "12", Arch: c.Arch}, Zone: "UTC"}
			scan, err := c.apt.Scan(ctx, d)
			if err == nil {
				all[i], err = d.Merge(scan)
			}
			return err
		})
		if err != nil {
			yield(inventory.Device{}, err)
			return
		}
		for _, d := range all {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// offered returns the patches that the archive of the first device offers, as its apt has fetched and verified them.
func (c *controller) offered(ctx context.Context) (patch.Source, error) {
	indices, err := apt.Root{Dir: c.Root}.Indices(ctx)
	if err != nil {
		return nil, err
	}
	return debian.New(debian.Config{Codename: stable, Version: "12", Indices: indices})
}

// run drives the rollout of the journal to its end, and begins it if there is none. say hears of every event.
func (c *controller) run(ctx context.Context, say func(string)) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(c.Dir, journalFile)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	_, err = j.Load(ctx, key())
	fresh := errors.Is(err, rollout.ErrNotFound)
	if err != nil && !fresh {
		return err
	}
	if fresh {
		if err := c.each(ctx, func(ctx context.Context, i int) error { return c.apt.Refresh(ctx, tenant, c.Names[i]) }); err != nil {
			return err
		}
		say("refreshed")
	}
	offered, err := c.offered(ctx)
	if err != nil {
		return err
	}
	degraded := make(chan error, 1)
	r, err := runner.New(runner.Config{Patches: []patch.Source{offered}, Devices: c, Deployer: c.apt, Journal: j, Clock: c.Clock,
		Poll: 300 * time.Millisecond * time.Duration(c.Clock.Speed), Workers: 16, CallTimeout: time.Minute,
		Observe: func(_ context.Context, x runner.Transition) {
			if x.Degraded != nil {
				select {
				case degraded <- x.Degraded:
					cancel()
				default:
				}
			}
			for _, e := range x.Batch.Events {
				say(strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "rollout.")))
				if staged, ok := e.(rollout.Staged); ok && staged.Stage == rollout.StageHalted {
					cancel() // nobody is there to resume it
				}
			}
		}})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	if fresh {
		p, err := r.Plan(ctx, runner.PlanRequest{Key: key(), Policy: c.Policy, By: "olga"})
		if err != nil {
			return err
		}
		say("planned")
		if err := r.Start(ctx, p.Plan); err != nil {
			return err
		}
	}
	patience := time.AfterFunc(c.Patience, cancel)
	_, err = r.Wait(ctx, key())
	if patience.Stop(); err != nil {
		told, readErr := read(context.WithoutCancel(ctx), j)
		if readErr == nil {
			c.stuck(r, told)
		}
		err = errors.Join(err, readErr)
	}
	select {
	case bad := <-degraded:
		err = errors.Join(err, bad)
	default:
	}
	cancel()
	<-ended
	return err
}

// stuck prints why the rollout is not done, and what became of each task of the devices that have failed or are not done. Those that are at
// work are asked what they do.
func (c *controller) stuck(r *runner.Runner, told *rollout.Timeline) {
	status, bad, err := r.Status(context.Background(), key())
	fmt.Println("stuck:", status.Stage, status.Why, bad, err)
	for i, id := range told.Plan().Devices {
		if told.Machine().Device(i).Outcome == rollout.Succeeded {
			continue
		}
		x, err := r.Explain(context.Background(), key(), id)
		fmt.Println("stuck:", id, x.Reasons, err)
		for _, try := range told.Tries(i) {
			fmt.Printf("  %+v\n", try)
		}
		if task, ok := told.Machine().Task(int32(i)); ok {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			report, err := c.apt.Status(ctx, task)
			fmt.Printf("  its status: %+v %v\n", report, err)
			res, err := c.ssh[id].Run(ctx, transport.Command{Argv: []string{"sh", "-c", "ps ax; cd /var/lib/patchflow/tasks && head */*"}})
			fmt.Printf("  it says: %s%s %v\n", res.Stdout, res.Stderr, err)
			cancel()
		}
	}
}

// TestController is the process that may be killed. It prints a line for everything that it has written down.
func TestController(t *testing.T) {
	path, ok := os.LookupEnv(ordersEnv)
	if !ok {
		t.Skip("runs as a child of the other tests")
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var o orders
	require.NoError(t, json.Unmarshal(text, &o))
	var mu sync.Mutex
	say := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println("~ " + what)
	}
	c, err := newController(o)
	require.NoError(t, err)
	require.NoError(t, c.run(t.Context(), say))
	say("finished")
}
