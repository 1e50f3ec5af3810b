package sequential

import "math"

// logBeta returns ln B(a, b).
func logBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// logBetaBelow returns ln ∫[0,x] t^(a-1) (1-t)^(b-1) dt, by whichever of two ways converges: the continued fraction of DLMF
// 8.17.22, or the whole integral less the rest.
func logBetaBelow(a, b, x float64) float64 {
	if x < (a+1)/(a+b+2) {
		return logFraction(a, b, x)
	}
	whole := logBeta(a, b)
	return whole + math.Log1p(-math.Exp(logFraction(b, a, 1-x)-whole))
}

// logFraction evaluates the continued fraction by the method of Lentz.
func logFraction(a, b, x float64) float64 {
	const tiny = 1e-300
	c, d := 1.0, 1/nonzero(1-(a+b)*x/(a+1), tiny)
	h := d
	for k := 1; k < 100000; k++ {
		m := float64(k)
		step := func(numerator float64) float64 {
			d = 1 / nonzero(1+numerator*d, tiny)
			c = nonzero(1+numerator/c, tiny)
			return c * d
		}
		h *= step(m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)))
		last := step(-(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)))
		h *= last
		if math.Abs(last-1) < 1e-16 {
			break
		}
	}
	return a*math.Log(x) + b*math.Log1p(-x) - math.Log(a) + math.Log(h)
}

func nonzero(x, tiny float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}
