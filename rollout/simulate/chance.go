package simulate

import (
	"fmt"
	"slices"
	"time"

	"github.com/patchflow/patchflow/internal/xxh64"
	"github.com/patchflow/patchflow/inventory"
)

// Durations says how long something takes: its values are equally spaced quantiles, the first the least and the last the
// most, and everything between two neighbours is as likely as between two others. One value is a fixed duration; none is
// no time at all.
type Durations []time.Duration

// valid says whether d can be drawn from.
func (d Durations) valid() error {
	for i, v := range d {
		if v < 0 {
			return fmt.Errorf("%v is negative", v)
		}
		if i > 0 && v < d[i-1] {
			return fmt.Errorf("%v stands after %v: the values must not fall", v, d[i-1])
		}
	}
	return nil
}

// at returns the duration for a hash.
func (d Durations) at(h uint64) time.Duration {
	switch n := len(d); n {
	case 0:
		return 0
	case 1:
		return d[0]
	default:
		// The place among the values, with 20 bits for where it is between two of them.
		place := (h >> 32) * uint64(n-1) >> 12
		i, part := int(place>>20), time.Duration(place&(1<<20-1))
		span := d[i+1] - d[i]
		return d[i] + span>>20*part + span&(1<<20-1)*part>>20
	}
}

// DurationsOf returns the quantiles of what was observed: 21 of them, or as many as there are observations if these are
// fewer. It sorts the slice.
func DurationsOf(observed []time.Duration) Durations {
	slices.Sort(observed)
	const steps = 20
	if len(observed) <= steps+1 {
		return Durations(slices.Clone(observed))
	}
	d := make(Durations, steps+1)
	for i := range d {
		d[i] = observed[i*(len(observed)-1)/steps]
	}
	return d
}

// What a hash is drawn for. Different numbers make draws that have nothing to do with each other.
const (
	drawRate uint64 = 1 + iota
	drawTook
	drawRestart
	drawPattern
	drawAway
	drawApproval
)

// A dice draws for one run.
type dice uint64

func newDice(seed uint64, run int) dice { return dice(xxh64.Sum(seed, fmt.Sprintf("run %d", run))) }

// hash is the draw for a device and three numbers.
func (d dice) hash(what uint64, id inventory.DeviceID, a, b uint64) uint64 {
	return xxh64.Sum(uint64(d)^what<<56^a<<32^b, string(id))
}

// happens says whether something with that chance comes true for a draw.
func happens(chance float64, h uint64) bool { return float64(h>>11)*(1.0/(1<<53)) < chance }
