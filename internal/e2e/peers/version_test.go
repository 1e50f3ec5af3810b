package peers

import (
	"testing"
	"time"

	"github.com/google/osv-scalibr/semantic"
	rpmversion "github.com/knqyf263/go-rpm-version"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch/version"
)

// Every version in which AlmaLinux and Debian fixed something, against the next: the peers agree, and take their time.
func TestVersions(t *testing.T) {
	knqyf263 := func(a, b string) (int, error) { return rpmversion.NewVersion(a).Compare(rpmversion.NewVersion(b)), nil }
	for name, row := range map[string]struct {
		folder string
		scheme version.Scheme
		least  int // versions
		peers  map[string]func(a, b string) (int, error)
	}{
		"rpm": {"osv-almalinux", version.RPM, 50_000, map[string]func(a, b string) (int, error){"osv-scalibr": scalibr("Red Hat"), "go-rpm-version": knqyf263}},
		"deb": {"osv-debian", version.Deb, 5_000, map[string]func(a, b string) (int, error){"osv-scalibr": scalibr("Debian")}},
	} {
		t.Run(name, func(t *testing.T) {
			var texts []string
			for p := range collect(t, need.Shared(t, "feeds", row.folder)).All() {
				for i := range p.Packages {
					if x := &p.Packages[i]; x.Fixed.Scheme == row.scheme {
						if _, err := x.Fixed.Key(); err == nil { // one of Debian's is none
							texts = append(texts, x.Fixed.Text)
						}
					}
				}
			}
			require.Greater(t, len(texts), row.least)
			own := func(a, b string) (int, error) {
				return version.Compare(version.Version{Scheme: row.scheme, Text: a}, version.Version{Scheme: row.scheme, Text: b})
			}
			want := signs(t, texts, own)
			best := map[string]time.Duration{}
			measure := func(name string, compare func(a, b string) (int, error)) {
				var got []int8
				const rounds = 10 // so that the clock is fine enough
				begin := clock()
				for range rounds {
					got = signs(t, texts, compare)
				}
				took := (clock() - begin) / rounds
				require.Equal(t, want, got, name)
				if best[name] == 0 || took < best[name] {
					best[name] = took
				}
			}
			for range 5 {
				measure("", own)
				for peer, compare := range row.peers {
					measure(peer, compare)
				}
			}
			for peer := range row.peers {
				ratio := float64(best[peer]) / float64(best[""])
				t.Logf("%d pairs, parsed and compared: patchflow %v each, %s %v: %.1f times as fast; the goal is 5", len(want),
					best[""]/time.Duration(len(want)), peer, best[peer]/time.Duration(len(want)), ratio)
				if held() && ratio*slack < 5 {
					t.Errorf("comparing is %.1f times as fast as %s; the goal is 5", ratio, peer)
				}
			}
		})
	}
}

// signs compares each text with the next.
func signs(t *testing.T, texts []string, compare func(a, b string) (int, error)) []int8 {
	signs := make([]int8, len(texts)-1)
	for i := range signs {
		c, err := compare(texts[i], texts[i+1])
		switch {
		case err != nil:
			t.Fatal(err)
		case c < 0:
			signs[i] = -1
		case c > 0:
			signs[i] = 1
		}
	}
	return signs
}

// scalibr compares as osv-scalibr does.
func scalibr(ecosystem string) func(a, b string) (int, error) {
	return func(a, b string) (int, error) {
		v, err := semantic.Parse(a, ecosystem)
		if err != nil {
			return 0, err
		}
		return v.CompareStr(b)
	}
}
