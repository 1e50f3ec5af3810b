package source

import (
	"errors"
	"fmt"
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"github.com/patchflow/patchflow/patch"
)

// ErrVector is wrapped by the error for a text that is no CVSS vector.
var ErrVector = errors.New("not a CVSS vector")

// Score reads a CVSS vector of version 2.0, 3.0, 3.1 or 4.0 and returns it with the base score that follows from it (for
// version 4.0 the score of all its metrics, as its specification has no other). By names who gave it. Blanks around the
// vector and the parentheses of old version 2 vectors do not count. Vectors are read by pandatix/go-cvss.
func Score(vector, by string) (patch.Score, error) {
	vector = strings.TrimSpace(vector)
	s := patch.Score{Vector: vector, By: by}
	var err error
	switch {
	case len(vector) > 512:
		return patch.Score{}, fmt.Errorf("source: a vector of %d bytes: %w", len(vector), ErrVector)
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		var v *gocvss40.CVSS40
		if v, err = gocvss40.ParseVector(vector); err == nil {
			s.Version, s.Base = "4.0", v.Score()
		}
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		var v *gocvss31.CVSS31
		if v, err = gocvss31.ParseVector(vector); err == nil {
			s.Version, s.Base = "3.1", v.BaseScore()
		}
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		var v *gocvss30.CVSS30
		if v, err = gocvss30.ParseVector(vector); err == nil {
			s.Version, s.Base = "3.0", v.BaseScore()
		}
	default:
		s.Vector = strings.TrimSuffix(strings.TrimPrefix(vector, "("), ")")
		var v *gocvss20.CVSS20
		if v, err = gocvss20.ParseVector(s.Vector); err == nil {
			s.Version, s.Base = "2.0", v.BaseScore()
		}
	}
	if err != nil {
		return patch.Score{}, fmt.Errorf("source: %q: %w: %w", vector, ErrVector, err)
	}
	return s, nil
}
