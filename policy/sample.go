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
