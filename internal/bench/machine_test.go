package bench

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

// record is as large as what a machine keeps of a device.
type record [8]uint64

// processing measures what a machine does with a million results, which come in random order, against writing a million
// records in random order, and against what one would write first: a map of records by ID, and a mutex. A result of an installation is followed by what verifies it; that one settles the device.
func processing(tb testing.TB) *contest {
	p, err := rollout.NewPlan(input(uuids(million), everyone()))
	require.NoError(tb, err)
	installs, verifies := successes(million, 1), successes(million, 2)

	order := make([]int32, million)
	for i := range installs {
		order[i] = installs[i].Device
	}
	records := make([]record, million)
	c := &contest{name: "1,000,000 results through the machine"}
	c.sides = []side{{name: "random writes", per: million, run: func() {
		for i, d := range order {
			n := uint64(i)
			records[d] = record{n, n, n, n, n, n, n, n}
		}
	}}}
	byID := make(map[inventory.DeviceID]*record, million)
	for i, id := range p.Devices {
		byID[id] = &records[i]
	}
	var lock sync.Mutex
	c.sides = append(c.sides, side{name: "map of records", per: million, run: func() {
		for i, d := range order {
			n := uint64(i)
			lock.Lock()
			*byID[p.Devices[d]] = record{n, n, n, n, n, n, n, n}
			lock.Unlock()
		}
	}})
	c.goals = append(c.goals, goal{"map of records", "random writes", 0})
	var m *rollout.Machine
	for _, batch := range []int{1000, 64, 1} {
		install, verify := fmt.Sprintf("installs by %d", batch), fmt.Sprintf("verifies by %d", batch)
		c.sides = append(c.sides,
			side{name: install, per: million, setup: func() { m = nil; m = issued(tb, p) }, run: func() { report(tb, m, installs, batch) }},
			side{name: verify, per: million, run: func() { report(tb, m, verifies, batch) }})
		most, peer := 10., "random writes"
		if batch == 1 { // each step makes a batch of its own: its events, its action and their lists
			most, peer = 5, "map of records"
		}
		c.goals = append(c.goals, goal{install, peer, most}, goal{verify, peer, most})
	}
	return c
}

func BenchmarkMachine(b *testing.B) { bench(b, processing) }
