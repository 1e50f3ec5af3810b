package nvd

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// maxScores is how many scores one record may have. Real ones have a handful.
const maxScores = 64

// A metric is one score as it stands in a record.
type metric struct {
	Source string    `json:"source"`
	Data   *cvssData `json:"cvssData"`
}

type cvssData struct {
	Vector string   `json:"vectorString"`
	Base   *float64 `json:"baseScore"`
}

// parseV2 reads a record of the form 2.0, and says what in it cannot be used. Without a name there is no record.
func parseV2(raw json.RawMessage) (Record, []error) {
	var got struct {
		CVE struct {
			ID        string `json:"id"`
			Published string `json:"published"`
			Modified  string `json:"lastModified"`
			Status    string `json:"vulnStatus"`
			// Metrics of other kinds stand beside these (SSVC), in shapes of their own.
			Metrics struct {
				V2  []metric `json:"cvssMetricV2"`
				V30 []metric `json:"cvssMetricV30"`
				V31 []metric `json:"cvssMetricV31"`
				V40 []metric `json:"cvssMetricV40"`
			} `json:"metrics"`
		} `json:"cve"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return Record{}, []error{err}
	}
	m := &got.CVE.Metrics
	return newRecord(got.CVE.ID, got.CVE.Status, got.CVE.Published, got.CVE.Modified, m.V2, m.V30, m.V31, m.V40)
}

// parseV1 reads a record of the form 1.1. Its scores are NIST's own.
func parseV1(raw json.RawMessage) (Record, []error) {
	var got struct {
		CVE struct {
			Meta struct {
				ID string `json:"ID"`
			} `json:"CVE_data_meta"`
			Description struct {
				Data []struct {
					Value string `json:"value"`
				} `json:"description_data"`
			} `json:"description"`
		} `json:"cve"`
		Impact struct {
			V2 *struct {
				Data *cvssData `json:"cvssV2"`
			} `json:"baseMetricV2"`
			V3 *struct {
				Data *cvssData `json:"cvssV3"`
			} `json:"baseMetricV3"`
		} `json:"impact"`
		Published string `json:"publishedDate"`
		Modified  string `json:"lastModifiedDate"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return Record{}, []error{err}
	}
	var v2, v3 []metric
	if got.Impact.V2 != nil {
		v2 = []metric{{Source: "nvd@nist.gov", Data: got.Impact.V2.Data}}
	}
	if got.Impact.V3 != nil {
		v3 = []metric{{Source: "nvd@nist.gov", Data: got.Impact.V3.Data}}
	}
	status := ""
	for _, d := range got.CVE.Description.Data {
		// This form has no field for it.
		if strings.HasPrefix(d.Value, "** REJECT **") {
			status = "Rejected"
		}
	}
	return newRecord(got.CVE.Meta.ID, status, got.Published, got.Modified, v2, v3)
}

func newRecord(cve, status, published, modified string, metrics ...[]metric) (r Record, wrong []error) {
	if !source.IsCVE(cve) {
		return Record{}, []error{fmt.Errorf("no CVE is called %q", abbreviate(cve))}
	}
	r = Record{CVE: cve, Status: status, Rejected: strings.EqualFold(status, "rejected")}
	fail := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s: %w", cve, fmt.Errorf(format, args...)))
	}
	var err error
	if r.Published, err = instant(published); err != nil {
		fail("published: %w", err)
	}
	if r.Modified, err = instant(modified); err != nil {
		fail("modified: %w", err)
	}
	n := 0
	for _, list := range metrics {
		for i := range list {
			if n++; n > maxScores {
				fail("more than %d scores: %w", maxScores, source.ErrTooLarge)
				return r, wrong
			}
			score, err := list[i].score()
			if err != nil {
				fail("score %d: %w", n, err)
				continue
			}
			r.Scores = append(r.Scores, score)
		}
	}
	return r, wrong
}

// score returns a metric as a score. The number beside a vector counts, and has to be the one that follows from the vector, but for the
// tenth by which implementations differ. Vectors of version 4.0 can say more than their base: there it is taken as it is.
func (m *metric) score() (patch.Score, error) {
	if m.Data == nil || m.Data.Vector == "" {
		return patch.Score{}, fmt.Errorf("%w: there is none", source.ErrVector)
	}
	if len(m.Source) > 256 {
		return patch.Score{}, fmt.Errorf("its source has %d bytes: %w", len(m.Source), source.ErrTooLarge)
	}
	s, err := source.Score(m.Data.Vector, m.Source)
	if err != nil {
		return patch.Score{}, err
	}
	if base := m.Data.Base; base != nil {
		if !(*base >= 0 && *base <= 10) {
			return patch.Score{}, fmt.Errorf("it is %v, which is not from 0 to 10", *base)
		}
		if difference := *base - s.Base; s.Version != "4.0" && (difference > 0.11 || difference < -0.11) {
			return patch.Score{}, fmt.Errorf("it is %v, and %s is %v", *base, s.Vector, s.Base)
		}
		s.Base = *base
	}
	return s, nil
}

// instant reads a time of one of the two forms. Neither names a zone: they are UTC.
func instant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", abbreviate(text))
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
