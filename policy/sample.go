package policy

import (
	"math"
	"math/big"
)

// SampleSize returns how many devices it takes to see at least one failure with the given confidence, if each device fails
// with the given rate, independently of the others: the smallest n with 1-(1-rate)^n >= confidence, which is
// ceil(ln(1-confidence)/ln(1-rate)). It is exact. The result is false if no number will do: for a rate of 0 %, for a
// confidence of 100 % with a rate below that, and for shares that are none.
//
// The formula is that of the geometric distribution; its special case of 95 % is known as the rule of three, n = 3/rate.
func SampleSize(rate, confidence Share) (int, bool) {
	switch {
	case rate <= 0 || rate > whole || confidence < 0 || confidence > whole:
		return 0, false
	case confidence == 0:
		return 0, true
	case rate == whole:
		return 1, true
	case confidence == whole:
		return 0, false
	}
	n := int(math.Log1p(-float64(confidence)/float64(whole)) / math.Log1p(-float64(rate)/float64(whole)))
	n = max(n, 1)
	for n > 1 && seen(n-1, rate, confidence) {
		n--
	}
	for !seen(n, rate, confidence) {
		n++
	}
	return n, true
}

// seen says whether n devices are enough: (whole-rate)^n * whole <= (whole-confidence) * whole^n.
func seen(n int, rate, confidence Share) bool {
	power := func(base Share) *big.Int { return new(big.Int).Exp(big.NewInt(int64(base)), big.NewInt(int64(n)), nil) }
	left, right := power(whole-rate), power(whole)
	left.Mul(left, big.NewInt(int64(whole)))
	right.Mul(right, big.NewInt(int64(whole-confidence)))
	return left.Cmp(right) <= 0
}

// SampleSizeOf returns how many of a number of devices it takes to see at least one failure with the given confidence, if at
// least the given rate of them fail: the smallest n with 1-C(devices-failing, n)/C(devices, n) >= confidence, where failing is
// rate times devices, rounded up. It is exact, and never more than [SampleSize] says for devices without number. The result
// is false if there are no devices, for a rate of 0 %, and for shares that are none.
//
// The formula is that of the hypergeometric distribution: devices are drawn at random, and none is drawn twice.
func SampleSizeOf(devices int, rate, confidence Share) (int, bool) {
	if devices <= 0 || rate <= 0 || rate > whole || confidence < 0 || confidence > whole {
		return 0, false
	}
	failing := devices/int(whole)*int(rate) + (devices%int(whole)*int(rate)+int(whole)-1)/int(whole)
	sound := devices - failing
	n, missed, enough := 0, 0.0, math.Log1p(-float64(confidence)/float64(whole))
	for n < sound+1 && missed > enough { // a logarithm of what rounding has left of the product
		missed += math.Log1p(-float64(failing) / float64(devices-n))
		n++
	}
	for n > 0 && drawn(n-1, devices, sound, confidence) {
		n--
	}
	for !drawn(n, devices, sound, confidence) {
		n++
	}
	return n, true
}

// drawn says whether n of these devices are enough: C(sound, n) * whole <= (whole-confidence) * C(devices, n), both times n!.
func drawn(n, devices, sound int, confidence Share) bool {
	if n > sound {
		return true
	}
	left, right := big.NewInt(int64(whole)), big.NewInt(int64(whole-confidence))
	if n > 0 {
		left.Mul(left, new(big.Int).MulRange(int64(sound-n+1), int64(sound)))
		right.Mul(right, new(big.Int).MulRange(int64(devices-n+1), int64(devices)))
	}
	return left.Cmp(right) <= 0
}

// Least returns how many devices a ring with a share has at least, if it and the rings beside it have so many to divide: the greater
// of MinDevices and, with Shows, the [SampleSizeOf] for that rate of failure with a confidence of 95 %. The latter is at most a quarter of the
// devices, rounded up, so that a small fleet keeps devices that the ring can protect. It is 1 if nothing else is said.
func (r *Ring) Least(devices int) int {
	least := max(r.MinDevices, 1)
	if need, ok := SampleSizeOf(devices, r.Shows, showConfidence); ok {
		least = max(least, min(need, (devices+3)/4))
	}
	return least
}

const showConfidence Share = 9500
