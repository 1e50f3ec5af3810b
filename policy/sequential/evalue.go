package sequential

import "math"

// A Prior is a Beta(A, B) distribution over the rate of failure: what is expected before the first outcome, weighed as if A-1
// failures and B-1 successes had been seen. Both must be positive. A prior changes how soon an e-process crosses and never
// whether it may be trusted.
type Prior struct{ A, B float64 }

// HaltPrior is the prior for halting: one in ten fails, vaguely. It finds rates of a few times the tolerated one soonest
// among the priors that were compared.
func HaltPrior() Prior { return Prior{1, 9} }

// PassPrior is the prior for proving that a rate is below rate: it expects a quarter of it. The rate must be above 0.
func PassPrior(rate float64) Prior { return Prior{1, 4 / rate} }

// LogAbove returns the logarithm of the e-value of so many failures among n outcomes against the hypothesis that the rate of
// failure is at most rate. With the prior cut off below rate, it is the logarithm of
//
//	∫[rate,1] p^(A+s-1) (1-p)^(B+n-s-1) dp / ∫[rate,1] p^(A-1) (1-p)^(B-1) dp / (rate^s (1-rate)^(n-s))
//
// The rate must lie between 0 and 1, both excluded, and failures between 0 and n; the result is NaN otherwise. It grows with
// failures, and falls with n while failures stay the same. Its relative error, as an e-value, is below 1e-10 up to n = 10,000
// and grows with n from there.
//
// The mixture of likelihood ratios is due to Robbins, "Statistical methods related to the law of the iterated logarithm",
// 1970. Cutting the prior off makes it a supermartingale under every rate up to the tolerated one.
func LogAbove(n, failures int, rate float64, prior Prior) float64 {
	if !valid(n, failures, rate, prior) {
		return math.NaN()
	}
	return logMixture(n, failures, rate, prior, func(a, b float64) float64 { return logBetaBelow(b, a, 1-rate) })
}

// LogBelow is the mirror of [LogAbove]: the logarithm of the e-value against the hypothesis that the rate of failure is at
// least rate. Its prior is cut off above rate. It falls with failures, and grows with n while failures stay the same.
func LogBelow(n, failures int, rate float64, prior Prior) float64 {
	if !valid(n, failures, rate, prior) {
		return math.NaN()
	}
	return logMixture(n, failures, rate, prior, func(a, b float64) float64 { return logBetaBelow(a, b, rate) })
}

// LogPoint returns the logarithm of the e-value against the hypothesis that the rate of failure is rate itself, with the whole
// prior. The rates that it has not refuted are the confidence sequence of [Interval].
func LogPoint(n, failures int, rate float64, prior Prior) float64 {
	if !valid(n, failures, rate, prior) {
		return math.NaN()
	}
	return logMixture(n, failures, rate, prior, logBeta)
}

func valid(n, failures int, rate float64, prior Prior) bool {
	return failures >= 0 && failures <= n && rate > 0 && rate < 1 && prior.A > 0 && prior.B > 0
}

// logMixture is the likelihood of the outcomes under the prior over their likelihood under rate.
func logMixture(n, failures int, rate float64, prior Prior, integral func(a, b float64) float64) float64 {
	s, f := float64(failures), float64(n-failures)
	return integral(prior.A+s, prior.B+f) - integral(prior.A, prior.B) - s*math.Log(rate) - f*math.Log1p(-rate)
}

// Interval returns the rates of failure between which the truth lies with probability at least 1-alpha at every n at once,
// however often it is asked: a confidence sequence. With a prior of A of at most 1, zero failures have the lower end 0, and n failures
// with B of at most 1 the upper end 1.
// For arguments that make no sense it returns the whole of 0 to 1.
func Interval(n, failures int, alpha float64, prior Prior) (low, high float64) {
	if n <= 0 || !valid(n, failures, 0.5, prior) || !(alpha > 0 && alpha < 1) {
		return 0, 1
	}
	limit := -math.Log(alpha)
	top := logBeta(prior.A+float64(failures), prior.B+float64(n-failures)) - logBeta(prior.A, prior.B)
	refuted := func(p float64) bool {
		l := top
		if failures > 0 {
			l -= float64(failures) * math.Log(p)
		}
		if n > failures {
			l -= float64(n-failures) * math.Log1p(-p)
		}
		return l >= limit
	}
	likely := float64(failures) / float64(n) // the e-value is least here, and at most 1 by a mean of likelihoods
	low, high = 0, 1
	if failures > 0 {
		low = edge(likely, 0, refuted)
	}
	if failures < n {
		high = edge(likely, 1, refuted)
	}
	return low, high
}

// edge returns where refuted becomes true on the way from inside to outside.
func edge(inside, outside float64, refuted func(float64) bool) float64 {
	for range 200 {
		mid := inside + (outside-inside)/2
		if mid == inside || mid == outside {
			break
		}
		if refuted(mid) {
			outside = mid
		} else {
			inside = mid
		}
	}
	return inside
}
