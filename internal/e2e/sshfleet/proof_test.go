package sshfleet

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/fleetbed"
	"github.com/patchflow/patchflow/internal/witness"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers/journal/sqlite"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

const (
	journalFile = "journal.db"
	dpkgLog     = "var/log/dpkg.log"
)

// timeline reads the journal, as an auditor would.
func timeline(t *testing.T, dir string) *rollout.Timeline {
	t.Helper()
	j, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, journalFile)})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	told, err := read(t.Context(), j)
	require.NoError(t, err)
	return told
}

func read(ctx context.Context, j rollout.Journal) (*rollout.Timeline, error) {
	record, err := j.Load(ctx, key())
	if err != nil {
		return nil, err
	}
	plan, err := rollout.DecodePlan(record.Plan)
	if err != nil {
		return nil, err
	}
	told, did, err := rollout.ReadTimeline(plan, record.Entries)
	return told, errors.Join(err, did.Torn)
}

// prove compares the journal with what every device says of itself, over ssh, and returns the timeline. what says what has happened to a
// device; nil means nothing.
func (s *site) prove(t *testing.T, o orders, what func(w *witness.Device, d *fleetbed.Device)) *rollout.Timeline {
	t.Helper()
	told := timeline(t, o.Dir)
	require.Equal(t, rollout.StageDone, told.Machine().Stage())
	require.Len(t, told.Plan().Devices, len(s.Devices))
	c, err := newController(o)
	require.NoError(t, err)
	number := make(map[inventory.DeviceID]int)
	for i, id := range told.Plan().Devices {
		number[id] = i
	}
	all := make([]*witness.Device, len(o.Names))
	require.NoError(t, c.each(t.Context(), func(ctx context.Context, i int) (err error) {
		n := number[o.Names[i]]
		all[i], err = c.ask(ctx, o.Names[i])
		if err != nil {
			return err
		}
		all[i].Outcome, all[i].Tries = told.Machine().Device(n).Outcome, told.Tries(n)
		all[i].Boots, all[i].Restart = s.Devices[i].Boots(), restarts(i)
		if what != nil {
			what(all[i], s.Devices[i])
		}
		return nil
	}))
	first, last := make([]time.Time, len(told.Plan().Rings)), make([]time.Time, len(told.Plan().Rings))
	for i := range all {
		w := all[i]
		require.Empty(t, w.Contradictions(), "%s: %s", o.Names[i], w)
		ring := told.Plan().RingOf(number[o.Names[i]])
		if at := w.Log[0].At; first[ring].IsZero() || at.Before(first[ring]) {
			first[ring] = at
		}
		if at := w.Log[len(w.Log)-1].At; at.After(last[ring]) {
			last[ring] = at
		}
	}
	for ring := range first[1:] {
		require.False(t, first[ring+1].Before(last[ring]), "ring %d has begun before ring %d was done, by the devices' own clocks", ring+1, ring)
	}
	return told
}

// query asks for all packages.
func query() transport.Command { return transport.Command{Argv: witness.Query()} }

// ask asks a device what it says of itself.
func (c *controller) ask(ctx context.Context, id inventory.DeviceID) (*witness.Device, error) {
	run := func(cmd transport.Command) (string, error) {
		r, err := c.ssh[id].Run(ctx, cmd)
		if err == nil && !r.OK() {
			err = fmt.Errorf("%s: %s: %s", id, cmd, r)
		}
		return string(r.Stdout), err
	}
	w := &witness.Device{Names: names(), Before: before, After: after, Clock: c.Clock.at, Windows: c.Policy.Windows}
	var err error
	if w.Installed, err = run(query()); err != nil {
		return nil, err
	}
	text, err := run(transport.Command{Argv: []string{"cat", "/" + dpkgLog}, MaxStdout: 1 << 20})
	if err == nil {
		w.Log, err = witness.ReadLog(text)
	}
	return w, err
}
