package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/simulate"
)

// patchOf is the patch of a month.
func patchOf(n int) patch.ID { return patch.ID(fmt.Sprintf("madeup:editor=%d", n)) }

// month is the Monday on which the rollout of a month begins.
func month(n int) time.Time {
	return time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC).AddDate(0, 0, 28*(n-1))
}

// planOf puts the fleet into rings, for the patch of a month: two devices of three have Windows, the others Linux.
func planOf(n int, p policy.Policy, number int) (rollout.Plan, error) {
	at := month(number)
	in := rollout.PlanInput{
		Key: rollout.Key{Tenant: "acme", ID: rollout.ID(at.Format("2006-01"))}, Policy: p, By: "olga", At: at,
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: patchOf(number), Reversal: patch.ReversalUninstall, Released: at.AddDate(0, 0, -2)}}}},
		Zones:    []string{"Europe/Berlin"},
	}
	for i := range n {
		os := "win"
		if i%3 == 0 {
			os = "linux"
		}
		in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(fmt.Sprintf("%s-%04d", os, i)), Ring: rollout.ByShare})
	}
	return rollout.NewPlan(in)
}

// osOf tells what a plan does not say. A product asks its inventory.
func osOf(d inventory.DeviceID) string {
	os, _, _ := strings.Cut(string(d), "-")
	return os
}

// truth is how the fleet really behaves, which nobody knows.
func truth() simulate.Model {
	minutes := func(of ...time.Duration) simulate.Durations {
		for i := range of {
			of[i] *= time.Minute
		}
		return of
	}
	return simulate.Model{
		OS:      osOf,
		Install: minutes(2, 6, 9, 15, 55), Reboot: minutes(2, 4, 12), Verify: minutes(1, 2), Approval: minutes(40, 300), Restarts: 0.45,
		Rates: []simulate.Rate{
			{OS: "win", Fault: patch.Busy, Chance: 0.06}, {OS: "win", Fault: patch.Transient, Chance: 0.04},
			{OS: "win", Fault: patch.DiskFull, Chance: 0.008, Lasts: true}, {OS: "linux", Fault: patch.Busy, Chance: 0.12},
		},
		Presence: []simulate.Presence{{OS: "win", Share: 0.02, Gone: true}, {OS: "win", Share: 0.98, Away: 0.2, Stretch: 9 * time.Hour}},
	}
}

// happened carries a plan out on the fleet, keeps the journal as a host does, and reads it.
func happened(p rollout.Plan, m simulate.Model, seed uint64) (*rollout.Timeline, error) {
	var journal [][]byte
	_, err := simulate.Runs(simulate.Config{Plan: p, Model: m, Runs: 1, Seed: 1000 + seed, Observe: func(_ int, b rollout.Batch) {
		journal = append(journal, rollout.EncodeBatch(nil, b))
	}})
	if err != nil {
		return nil, err
	}
	t, _, err := rollout.ReadTimeline(p, func(yield func([]byte, error) bool) {
		for _, entry := range journal {
			if !yield(entry, nil) {
				return
			}
		}
	})
	return t, err
}
