package sshfleet

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/fleetbed"
	"github.com/patchflow/patchflow/internal/witness"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// seedEnv names the seed of the faults; without it they are the same each time, as far as real devices let them.
const seedEnv = "PATCHFLOW_SEED"

func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(1)
	if text, ok := os.LookupEnv(seedEnv); ok {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, seedEnv)
	}
	t.Logf("%s=%d", seedEnv, n)
	return n
}

// A storm is what happens to the devices and to the controller.
type storm struct {
	kills int // of the controller

	away  []*fleetbed.Device // whose cables are pulled, for some seconds or from the beginning until the time until, if it is set
	until time.Time
	cut   []*fleetbed.Device // whose power is taken away while dpkg is at work
}

// newStorm takes 30 % of the devices off the network, and the power of as many others.
func (s *site) newStorm(r *rand.Rand, kills int) *storm {
	st := &storm{kills: kills}
	third := (3*len(s.Devices) + 9) / 10
	for n, i := range r.Perm(len(s.Devices)) {
		switch {
		case n < third:
			st.away = append(st.away, s.Devices[i])
		case n < 2*third:
			st.cut = append(st.cut, s.Devices[i])
		}
	}
	return st
}

// cutAtWork waits until dpkg has begun to change packages of d, takes the power away some moments later, and gives it back. It returns at once
// when over is closed.
func cutAtWork(t *testing.T, d *fleetbed.Device, moment time.Duration, over <-chan struct{}) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if content, err := os.ReadFile(filepath.Join(d.Root, dpkgLog)); err == nil && strings.Contains(string(content), " upgrade ") {
			break
		}
		select {
		case <-tick.C:
		case <-over:
			return false
		}
	}
	pause(moment, over)
	d.Cut()
	pause(time.Second, over)
	d.On(t)
	return true
}

// pause waits so long, or until over is closed. It stands for the time that something takes in the world.
func pause(d time.Duration, over <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-over:
	}
}

// weather lets a storm come over the site while controllers work, until one of them has finished, and returns how many were killed.
func (s *site) weather(t *testing.T, o orders, st *storm, r *rand.Rand) (killed int) {
	t.Helper()
	defer func() {
		if !t.Failed() {
			return
		}
		for _, d := range s.Devices {
			t.Logf("cut: %v, away: %v: %s", slices.Contains(st.cut, d), slices.Contains(st.away, d), d.Tell())
		}
	}()
	over := make(chan struct{})
	var wg sync.WaitGroup
	for _, d := range st.cut {
		moment := time.Duration(r.IntN(800)) * time.Millisecond
		wg.Go(func() { cutAtWork(t, d, moment, over) })
	}
	began := make(chan struct{})
	once := sync.OnceFunc(func() { close(began) })
	for _, d := range st.away {
		after, long := time.Duration(r.IntN(3000))*time.Millisecond, 4*time.Second+time.Duration(r.IntN(4000))*time.Millisecond
		wg.Go(func() {
			select {
			case <-began:
			case <-over:
				return
			}
			if !st.until.IsZero() {
				after, long = 0, time.Until(st.until)
			}
			pause(after, over)
			d.Unplug(t)
			pause(long, over)
			d.Plug(t)
		})
	}
	defer wg.Wait()
	defer close(over)
	for round := 0; ; round++ {
		lines, turn := 1+r.IntN(4*len(s.Devices)/(st.kills+1)+2), time.Duration(r.IntN(400))*time.Millisecond
		heard := 0
		finished := live(t, o, func(what string, kill func()) {
			if what == "issued" || what == "began" && !st.until.IsZero() {
				once()
			}
			if what == "adopted" || what == "refreshed" {
				return
			}
			if heard++; heard == lines && killed < st.kills {
				killed++
				pause(turn, over)
				kill()
			}
		})
		if finished {
			break
		}
		require.Less(t, round, st.kills+1)
	}
	require.Greater(t, killed, st.kills/2, "the controller is done too soon")
	return killed
}

// stormy is the whole test for a fleet of n. In a long night there are two windows, and those who are away miss the first one as a whole.
func stormy(t *testing.T, n, kills int, long bool) {
	r := rand.New(rand.NewPCG(seed(t), uint64(n)))
	s := newSite(t, n)
	s.publish(t)
	o := s.orders(t, 2*time.Second, 1)
	st := s.newStorm(r, kills)
	if long {
		o = s.orders(t, 10*time.Second, 3)
		o.Policy.Windows = []policy.Window{{Start: 22 * 60, End: 22*60 + 2}, {Start: 22*60 + 3, End: 23 * 60}}
		o.Policy.Fit.Work = policy.Duration(30 * time.Second)
		st.until = o.Clock.Real.Add(150 * time.Second / 3)
	}
	began := time.Now()
	killed := s.weather(t, o, st, r)
	for _, d := range s.Devices {
		d.Wait(t)
	}
	told := s.prove(t, o, func(w *witness.Device, d *fleetbed.Device) { w.Disturbed, w.Cut = true, slices.Contains(st.cut, d) })
	failed := make(map[patch.Fault]int)
	tasks := 0
	for i := range told.Plan().Devices {
		for _, x := range told.Tries(i) {
			tasks++
			if x.Phase == rollout.PhaseFailed {
				failed[x.Fault]++
			}
		}
	}
	require.Positive(t, told.Machine().Adoptions())
	t.Logf("%d devices, %d kills, %d away, %d without power: %d tasks, %v failed, in %s", n, killed, len(st.away), len(st.cut), tasks, failed, time.Since(began).Round(100*time.Millisecond))
}

// Cables are pulled, devices lose their power while dpkg is at work, and the controller is killed again and again. In the end it is as if
// nothing had happened.
func TestFaults(t *testing.T) { stormy(t, 8, 3, false) }

// The same with fifty devices, of which a third misses a whole window.
func TestFaultsOfFifty(t *testing.T) {
	if os.Getenv("PATCHFLOW_LONG") == "" {
		t.Skip("takes minutes: PATCHFLOW_LONG=1")
	}
	stormy(t, 50, 20, true)
}
