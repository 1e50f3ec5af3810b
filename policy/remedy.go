package policy

import (
	"cmp"
	"fmt"

	"github.com/patchflow/patchflow/patch"
)

// A Remedy says that a device whose last try has failed with a fault is put right before the next one: its package database repaired, or
// room made on its disk. It is a task of its own, with which the next try begins, in the same window and within the same limits, and
// spends no attempt. If it fails, the next try is made all the same. Where no try is left there is no remedy either.
type Remedy struct {
	Fault patch.Fault `json:"fault" yaml:"fault"`                 // disk-full or corrupt: what a device has to blame itself for, and may be helped out of
	Max   int         `json:"max,omitempty" yaml:"max,omitempty"` // so often for each device, in a whole rollout; 0 means once; at most 255
}

// String returns it on one line: "corrupt, at most 2 times".
func (r Remedy) String() string {
	if n := cmp.Or(r.Max, 1); n > 1 {
		return fmt.Sprintf("%s, at most %d times", r.Fault, n)
	}
	return r.Fault.String() + ", once"
}

// withDefaults returns all with the defaults that their fields name in place of zeros.
func withDefaults(all []Remedy) []Remedy {
	var with []Remedy
	for _, r := range all {
		r.Max = cmp.Or(r.Max, 1)
		with = append(with, r)
	}
	return with
}

func (c *checker) remedies(path string, all []Remedy) {
	const most = 255
	first := make(map[patch.Fault]int)
	for i, r := range all {
		at := index(path, i)
		switch where, known := first[r.Fault]; {
		case r.Fault != patch.DiskFull && r.Fault != patch.Corrupt:
			c.fault(join(at, "fault"), "there is no remedy for %s: want disk-full or corrupt", r.Fault)
		case known:
			c.fault(join(at, "fault"), "%s has a remedy already, in %s", r.Fault, index(path, where))
		default:
			first[r.Fault] = i
		}
		if c.count(join(at, "max"), r.Max); r.Max > most {
			c.fault(join(at, "max"), "%d is more than %d", r.Max, most)
		}
	}
}
