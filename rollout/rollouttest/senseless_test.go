package rollouttest_test

import "testing"

// Seeds that have found something once, in runs of many more.
func TestSenselessSignalsThatFoundFaults(t *testing.T) {
	for name, seed := range map[string]uint64{
		"a device whose grace ran out in the step that asked it again lost its place while it was at work": 43709,
	} {
		t.Run(name, func(t *testing.T) {
			d := dice(seed + 3e6)
			data := make([]byte, 30+d.upTo(600))
			for i := range data {
				data[i] = byte(d.upTo(256))
			}
			runFuzzed(t, data, false)
		})
	}
}

// Whether a report comes again must not matter: a signal that says nothing must not lead to what would otherwise come later.
func TestVariationsThatFoundFaults(t *testing.T) {
	for name, seed := range map[string]uint64{
		"devices that had no turn in their window downloaded after it at whatever moment the machine was asked": 729,
	} {
		t.Run(name, func(t *testing.T) { varied(t, seed, new(points)) })
	}
}
