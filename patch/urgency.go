package patch

import "cmp"

// CompareUrgency orders patches by what is known of the danger that they avert, the most urgent first: those against known
// exploitation, then by severity, then those that close a hole before all others, then by the probability of exploitation
// (EPSS), then by the highest CVSS score, then those released first, whose fix has been public for longest, then by ID. What
// is unknown comes after what is known to be worse, and is never left out. It is a total order for patches with different IDs.
func CompareUrgency(a, b *Patch) int {
	first := func(a, b bool) int {
		switch {
		case a == b:
			return 0
		case a:
			return -1
		}
		return 1
	}
	return cmp.Or(
		first(a.Exploited() == Yes, b.Exploited() == Yes),
		cmp.Compare(b.Worst(), a.Worst()),
		first(a.Classification == ClassSecurity, b.Classification == ClassSecurity),
		cmp.Compare(b.EPSS(), a.EPSS()),
		cmp.Compare(b.Base(), a.Base()),
		first(!a.Released.IsZero(), !b.Released.IsZero()),
		a.Released.Compare(b.Released),
		cmp.Compare(a.ID, b.ID),
	)
}

// Worst returns the gravest severity that the publisher of p or of one of its advisories gives.
func (p *Patch) Worst() Severity {
	worst := p.Severity
	for i := range p.Advisories {
		worst = max(worst, p.Advisories[i].Severity)
	}
	return worst
}

// EPSS returns the highest probability of exploitation of p's advisories, from 0 to 1; 0 if none is known.
func (p *Patch) EPSS() float64 {
	var most float64
	for i := range p.Advisories {
		most = max(most, p.Advisories[i].EPSS)
	}
	return most
}

// Base returns the highest CVSS score of p's advisories, from 0 to 10, whatever its version and whoever gave it; 0 if none is
// known.
func (p *Patch) Base() float64 {
	var most float64
	for i := range p.Advisories {
		for _, s := range p.Advisories[i].Scores {
			most = max(most, s.Base)
		}
	}
	return most
}
