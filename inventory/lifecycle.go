package inventory

import (
	"time"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/patch"
)

// A Lifecycle tells until when releases of operating systems get security updates. It is dated data, which whoever brings
// it renews: what it does not know is unknown, never supported. The zero Lifecycle knows nothing.
type Lifecycle struct {
	AsOf     time.Time `json:"asOf"`             // when the facts were gathered
	Origin   string    `json:"origin,omitempty"` // where they are from, for people
	Releases []Release `json:"releases"`
}

// A Release is one release of an operating system, or one edition of it. Days are whole: support ends when its last day is
// over in UTC.
type Release struct {
	OS      string `json:"os"`             // as in [patch.Platform]
	Version string `json:"version"`        // fits every version that begins with it, dot by dot: "12" fits "12.5"
	Name    string `json:"name,omitempty"` // for people: "bookworm", "11 25H2 (E)"

	Released time.Time `json:"released,omitzero"`
	Ends     time.Time `json:"ends,omitzero"`     // last day of security updates for everybody; zero if not known
	Extended time.Time `json:"extended,omitzero"` // last day of updates that others give or sell (LTS, ESM, ESU); zero for none
	Open     bool      `json:"open,omitempty"`    // with Ends zero: supported, and no end was announced when the facts were gathered
}

// Support says whether a release still gets security updates.
type Support uint8

const (
	SupportUnknown  Support = iota // the release is not known, or its editions differ
	Supported                      // by its publisher, for everybody
	SupportExtended                // only by those who give or sell longer support
	SupportEnded                   // nobody mends it any more
)

func supportNames() enum.Names { return enum.Names{"unknown", "supported", "extended", "ended"} }

// String returns the lower-case name, as used in JSON and YAML.
func (s Support) String() string { return supportNames().String("support", int(s)) }

// MarshalText implements [encoding.TextMarshaler].
func (s Support) MarshalText() ([]byte, error) { return supportNames().Text("support", int(s)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (s *Support) UnmarshalText(text []byte) error {
	v, err := supportNames().Parse("support", text)
	*s = Support(v)
	return err
}

// At returns how r stands at an instant.
func (r *Release) At(now time.Time) Support {
	switch {
	case r.Open && r.Ends.IsZero():
		return Supported
	case r.Ends.IsZero():
		return SupportUnknown
	case before(now, r.Ends):
		return Supported
	case before(now, r.Extended):
		return SupportExtended
	}
	return SupportEnded
}

// before says whether day is not over yet.
func before(now, day time.Time) bool {
	return !day.IsZero() && now.Before(day.UTC().Truncate(24*time.Hour).Add(24*time.Hour))
}

// Support returns how the release that p runs stands at an instant. Of the releases that fit those with the longest version
// count, as "15.7" says more than "15"; if several of these differ, as the editions of Windows do, it is unknown. So it is for
// a platform without a version.
func (l *Lifecycle) Support(p patch.Platform, now time.Time) Support {
	longest, result := 0, SupportUnknown
	for i := range l.Releases {
		r := &l.Releases[i]
		if r.OS != p.OS || r.Version == "" || len(r.Version) < longest || !dotPrefix(r.Version, p.Version) {
			continue
		}
		switch s := r.At(now); {
		case len(r.Version) > longest:
			longest, result = len(r.Version), s
		case s != result:
			result = SupportUnknown
		}
	}
	return result
}
