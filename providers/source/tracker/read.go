package tracker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// maxRecord is how many bytes what is said of one source package and CVE may have.
const maxRecord = 4 << 20

// errStopped ends a listing whose caller wants no more.
var errStopped = errors.New("stopped")

// A listing is the state of one call of Patches.
type listing struct {
	source   *Source
	yield    func(patch.Patch, error) bool
	stopped  bool
	releases []*release
	index    map[string]int // of releases, by codename
	records  int
}

// A release is one that is asked for, with its holes by their names.
type release struct {
	Release
	holes map[string]*hole
}

// A hole is what the tracker says of one CVE in one release.
type hole struct {
	description, scope string
	bugs               []int64
	stands             []stand
}

// A stand is how one source package stands to a hole.
type stand struct {
	source             string
	unaffected         bool
	fixed              string // "" without a fix
	urgency            string
	nodsa, nodsaReason string
}

// A record is what the file says of one source package and CVE.
type record struct {
	Description string   `json:"description"`
	Scope       string   `json:"scope"`
	Bug         int64    `json:"debianbug"`
	Releases    statuses `json:"releases"`
}

// statuses are those of a record, by codename. The export writes an empty array where there are none.
type statuses map[string]json.RawMessage

// UnmarshalJSON implements [json.Unmarshaler].
func (s *statuses) UnmarshalJSON(data []byte) error {
	var none []struct{}
	if json.Unmarshal(data, &none) == nil && none != nil && len(none) == 0 {
		*s = statuses{}
		return nil
	}
	return json.Unmarshal(data, (*map[string]json.RawMessage)(s))
}

type status struct {
	Status      string  `json:"status"`
	Fixed       *string `json:"fixed_version"`
	Urgency     string  `json:"urgency"`
	NoDSA       string  `json:"nodsa"`
	NoDSAReason string  `json:"nodsa_reason"`
}

// bad yields the error of one record.
func (l *listing) bad(where string, err error) error {
	if !l.yield(patch.Patch{}, source.Bad("tracker: "+l.source.config.Name+": "+where, err)) {
		l.stopped = true
		return errStopped
	}
	return nil
}

// read reads the file.
func (l *listing) read(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	fail := func(err error) error {
		if errors.Is(err, errStopped) || err == ctx.Err() {
			return err
		}
		return fmt.Errorf("tracker: %s: %w", l.source.config.Name, err)
	}
	in, err := l.source.config.Limits.Open(l.source.config.Open)
	if err != nil {
		return fail(err)
	}
	defer in.Close()
	d := bounded.NewJSON(in, maxRecord, source.MaxValues)
	if err := d.Open('{'); err != nil {
		return fail(err)
	}
	sources := make(map[string]bool)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := d.More('}')
		if err == nil && !more {
			err = d.End()
		}
		if err != nil {
			return fail(err)
		}
		if !more {
			return nil
		}
		name, err := d.Name()
		if err == nil {
			err = l.readSource(ctx, d, name, sources)
		}
		if err != nil {
			return fail(err)
		}
	}
}

// readSource reads what the file says of one source package. Its name has been read.
func (l *listing) readSource(ctx context.Context, d *bounded.JSON, name string, sources map[string]bool) error {
	if err := l.count(ctx); err != nil {
		return err
	}
	where := fmt.Sprintf("source %.60s", name)
	var wrong error
	c, err := d.Peek()
	switch {
	case err != nil:
		return unexpected(err)
	case !isWord(name):
		wrong = fmt.Errorf("no source package is called %.60q", name)
	case sources[name]:
		wrong = errors.New("it is listed already")
	case c != '{':
		wrong = fmt.Errorf("%q where an object is expected", c)
	}
	if wrong != nil {
		if err := d.Skip(); err != nil {
			return err
		}
		return l.bad(where, wrong)
	}
	sources[name] = true
	if err := d.Open('{'); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for {
		more, err := d.More('}')
		if err != nil || !more {
			return err
		}
		cve, err := d.Name()
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		at := fmt.Sprintf("%s: %.60s", where, cve)
		if err := l.count(ctx); err != nil {
			return err
		}
		raw, wrong, err := d.Value()
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", at, err)
		case wrong != nil:
		case !isWord(cve):
			wrong = fmt.Errorf("nothing is called %.60q", cve)
		case seen[cve]:
			wrong = errors.New("it is listed already")
		default:
			seen[cve] = true
			wrong = l.add(raw, name, cve, at)
		}
		if errors.Is(wrong, errStopped) {
			return wrong
		}
		if wrong != nil {
			if err := l.bad(at, wrong); err != nil {
				return err
			}
		}
	}
}

// count counts one more record, or source package.
func (l *listing) count(ctx context.Context) error {
	if l.records++; l.records > l.source.config.Limits.Max() {
		return fmt.Errorf("more than %d records: %w", l.source.config.Limits.Max(), source.ErrTooLarge)
	}
	return ctx.Err()
}

// add adds the record that was read to the releases that are asked for.
func (l *listing) add(raw json.RawMessage, name, cve, where string) error {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	if r.Releases == nil {
		return errors.New("no releases")
	}
	for _, codename := range slices.Sorted(maps.Keys(r.Releases)) {
		i, wanted := l.index[codename]
		if !wanted {
			continue
		}
		s, known, err := parseStatus(name, r.Releases[codename])
		if err != nil {
			if err := l.bad(where+": "+codename, err); err != nil {
				return err
			}
		}
		if err != nil || !known {
			continue
		}
		holes := l.releases[i].holes
		h := holes[cve]
		if h == nil {
			h = &hole{}
			holes[cve] = h
		}
		if h.description == "" {
			h.description = short(r.Description)
		}
		if h.scope == "" {
			h.scope = r.Scope
		}
		if r.Bug > 0 && !slices.Contains(h.bugs, r.Bug) {
			h.bugs = append(h.bugs, r.Bug)
		}
		h.stands = append(h.stands, s)
	}
	return nil
}

// parseStatus reads how a release stands to a hole. known is false if the tracker says that nobody knows.
func parseStatus(name string, raw json.RawMessage) (s stand, known bool, err error) {
	var in status
	if err := json.Unmarshal(raw, &in); err != nil {
		return stand{}, false, err
	}
	s = stand{source: name, urgency: in.Urgency, nodsa: in.NoDSA, nodsaReason: in.NoDSAReason}
	switch in.Status {
	case "undetermined":
		return stand{}, false, nil
	case "open":
		if in.Fixed != nil {
			return stand{}, false, fmt.Errorf("it is open, and fixed in %.60q", *in.Fixed)
		}
		return s, true, nil
	case "resolved":
		if in.Fixed == nil {
			return stand{}, false, errors.New("it is resolved, and in no version")
		}
		if *in.Fixed == "0" {
			s.unaffected = true
			return s, true, nil
		}
		if _, err := version.Parse(version.Deb, *in.Fixed); err != nil {
			return stand{}, false, err
		}
		s.fixed = *in.Fixed
		return s, true, nil
	}
	return stand{}, false, fmt.Errorf("its status is %.60q", in.Status)
}

// unexpected turns the end of the file into an early one.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
