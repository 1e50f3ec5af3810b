package osv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/providers/source"
)

// A record is what is read of an OSV record. A schema of 1.7.5 is at ossf.github.io/osv-schema.
type record struct {
	ID        string   `json:"id"`
	Modified  string   `json:"modified"`
	Published string   `json:"published"`
	Withdrawn string   `json:"withdrawn"`
	Aliases   []string `json:"aliases"`
	Upstream  []string `json:"upstream"`
	Related   []string `json:"related"`

	Summary    string      `json:"summary"`
	Details    string      `json:"details"`
	Severity   []severity  `json:"severity"`
	Affected   []affected  `json:"affected"`
	References []reference `json:"references"`

	DatabaseSpecific json.RawMessage `json:"database_specific"`

	modified, published, withdrawn time.Time // zero if the record does not say
}

type severity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

type reference struct {
	URL string `json:"url"`
}

type affected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
		PURL      string `json:"purl"`
	} `json:"package"`
	Severity []severity `json:"severity"`
	Ranges   []span     `json:"ranges"`
	Versions []string   `json:"versions"`

	EcosystemSpecific json.RawMessage `json:"ecosystem_specific"`
	DatabaseSpecific  json.RawMessage `json:"database_specific"`

	ecosystem, database specific // of these two
}

// A span is one range of an affected package.
type span struct {
	Type   string  `json:"type"`
	Events []event `json:"events"`
}

type event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
	Limit        string `json:"limit"`
}

// specific is what is read of the fields that each ecosystem and each database has for itself. Whatever has another shape
// there is left out.
type specific struct {
	Severity      string          `json:"severity"`        // GitHub, Bitnami
	Urgency       string          `json:"urgency"`         // Debian
	Priority      string          `json:"ubuntu_priority"` // Ubuntu
	Availability  string          `json:"availability"`    // Ubuntu: whether it takes a subscription
	Informational string          `json:"informational"`   // RustSec: what it is if no vulnerability
	Binaries      json.RawMessage `json:"binaries"`        // Ubuntu, SUSE
}

func specifics(fields json.RawMessage) (s specific) {
	if len(fields) > 0 {
		_ = json.Unmarshal(fields, &s) // a field of another type does not keep the others from being read
	}
	return s
}

// A binary is a binary package of a source package, with the version that brings the fix.
type binary struct{ name, version string }

// binaries reads both shapes: Ubuntu's [{"binary_name": "libc6", "binary_version": "2.19"}] and the
// [{"libc6": "2.19", ...}] of SUSE and of older records of Ubuntu. They come in the order of the record, and in the second
// shape in no order.
func (s *specific) binaries() (all []binary) {
	if len(s.Binaries) == 0 {
		return nil
	}
	var lists []map[string]string
	_ = json.Unmarshal(s.Binaries, &lists)
	for _, list := range lists {
		if name, found := list["binary_name"]; found {
			all = append(all, binary{name, list["binary_version"]})
			continue
		}
		for name, version := range list {
			all = append(all, binary{name, version})
		}
	}
	return all
}

// crowded refuses what would take many times its size in memory: a list of empty objects, say. The largest real
// records that were seen have a megabyte, 2,200 objects and 50,000 texts.
func crowded(data []byte) error {
	const objects, texts = 50_000, 500_000
	if bytes.Count(data, []byte{'{'}) > objects || bytes.Count(data, []byte{'"'}) > 2*texts {
		return fmt.Errorf("more than %d objects or %d texts: %w", objects, texts, source.ErrTooLarge)
	}
	return nil
}

// decode reads a record.
func decode(data []byte) (*record, error) {
	if err := crowded(data); err != nil {
		return nil, err
	}
	r := new(record)
	if err := json.Unmarshal(data, r); err != nil {
		if r.ID != "" && checkID(r.ID) == nil {
			return nil, fmt.Errorf("%s: %w", r.ID, err)
		}
		return nil, err
	}
	for i := range r.Affected {
		a := &r.Affected[i]
		a.ecosystem, a.database = specifics(a.EcosystemSpecific), specifics(a.DatabaseSpecific)
	}
	if err := checkID(r.ID); err != nil {
		return nil, err
	}
	for _, t := range []struct {
		to          *time.Time
		field, text string
	}{{&r.modified, "modified", r.Modified}, {&r.published, "published", r.Published}, {&r.withdrawn, "withdrawn", r.Withdrawn}} {
		var err error
		if *t.to, err = instant(t.field, t.text); err != nil {
			return nil, fmt.Errorf("%s: %w", r.ID, err)
		}
	}
	if r.Withdrawn != "" && r.withdrawn.IsZero() {
		return nil, fmt.Errorf("%s: field withdrawn is %q", r.ID, r.Withdrawn)
	}
	return r, nil
}

// identify returns the ID of a record and when it was modified. With an error there is no ID.
func identify(data []byte) (id string, modified time.Time, err error) {
	var r struct {
		ID       string `json:"id"`
		Modified string `json:"modified"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return "", time.Time{}, err
	}
	if err := checkID(r.ID); err != nil {
		return "", time.Time{}, err
	}
	if modified, err = instant("modified", r.Modified); err != nil {
		return "", time.Time{}, err
	}
	return r.ID, modified, nil
}

// checkID refuses IDs that could not be printed in one line.
func checkID(id string) error {
	if id == "" {
		return errors.New("no id")
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c > '~' || i >= 256 {
			return fmt.Errorf("field id is %q", id[:min(len(id), 60)])
		}
	}
	return nil
}

// instant reads a time in RFC 3339. One that is not given is zero.
func instant(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("field %s is %q", field, text[:min(len(text), 60)])
	}
	return t.UTC(), nil
}
