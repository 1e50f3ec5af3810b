package peers

import (
	"testing"
	"time"

	"github.com/google/osv-scalibr/semantic"
	rpmversion "github.com/knqyf263/go-rpm-version"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch/version"
)

// Every version in which AlmaLinux fixed something, against the next: the peers agree, and take their time.
func TestRPMVersions(t *testing.T) {
	catalog, _ := advisories(t)
	var texts []string
	for p := range catalog.All() {
		for i := range p.Packages {
			if x := &p.Packages[i]; x.Fixed.Scheme == version.RPM {
				texts = append(texts, x.Fixed.Text)
			}
		}
	}
	require.Greater(t, len(texts), 50_000)
	timed := func(compare func(a, b string) int) ([]int8, time.Duration) {
		signs := make([]int8, len(texts)-1)
		best := time.Duration(1 << 62)
		for range 3 {
			begin := time.Now()
			for i := range signs {
				switch c := compare(texts[i], texts[i+1]); {
				case c < 0:
					signs[i] = -1
				case c > 0:
					signs[i] = 1
				}
			}
			best = min(best, time.Since(begin))
		}
		return signs, best / time.Duration(len(signs))
	}
	mine, own := timed(func(a, b string) int {
		c, err := version.Compare(version.Version{Scheme: version.RPM, Text: a}, version.Version{Scheme: version.RPM, Text: b})
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
	knq, other := timed(func(a, b string) int { return rpmversion.NewVersion(a).Compare(rpmversion.NewVersion(b)) })
	scalibr, third := timed(func(a, b string) int {
		v, err := semantic.Parse(a, "Red Hat")
		if err != nil {
			t.Fatal(err)
		}
		c, err := v.CompareStr(b)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
	require.Equal(t, scalibr, mine)
	require.Equal(t, knq, mine)
	t.Logf("%d pairs: patchflow %v, osv-scalibr %v (%.1fx), go-rpm-version %v (%.1fx), parsed and compared", len(mine), own, third,
		float64(third)/float64(own), other, float64(other)/float64(own))
	if fastest := min(other, third); held() && float64(fastest)*slack < 5*float64(own) {
		t.Errorf("comparing takes %v, the fastest correct peer takes %v: the goal is a fifth", own, fastest)
	}
}
