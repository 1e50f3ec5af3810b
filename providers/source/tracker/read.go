package tracker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

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
	raw      json.RawMessage // the record that is being read
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
	g := &gauge{r: in, left: maxRecord}
	d := json.NewDecoder(g)
	if t, err := d.Token(); err != nil {
		return fail(unexpected(err))
	} else if t != json.Delim('{') {
		return fail(fmt.Errorf("%.60q where an object is expected", fmt.Sprint(t)))
	}
	sources := make(map[string]bool)
	for d.More() {
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := key(d)
		if err == nil {
			err = l.readSource(ctx, d, g, name, sources)
		}
		if err != nil {
			return fail(err)
		}
	}
	if _, err := d.Token(); err != nil {
		return fail(unexpected(err))
	}
	g.left = maxRecord
	if _, err := d.Token(); err == nil {
		return fail(errors.New("something follows the end"))
	} else if err != io.EOF {
		return fail(err)
	}
	return nil
}

// readSource reads what the file says of one source package. Its name has been read.
func (l *listing) readSource(ctx context.Context, d *json.Decoder, g *gauge, name string, sources map[string]bool) error {
	g.left = maxRecord
	var wrong error
	switch {
	case !isWord(name):
		wrong = fmt.Errorf("no source package is called %.60q", name)
	case sources[name]:
		wrong = errors.New("it is listed already")
	}
	where := fmt.Sprintf("source %.60s", name)
	sources[name] = true
	if t, err := d.Token(); err != nil {
		return unexpected(err)
	} else if t != json.Delim('{') {
		if t == json.Delim('[') {
			for d.More() {
				if err := l.next(ctx, d, g); err != nil {
					return err
				}
			}
			if _, err := d.Token(); err != nil {
				return unexpected(err)
			}
		}
		return l.bad(where, fmt.Errorf("%.60q where an object is expected", fmt.Sprint(t)))
	}
	seen := make(map[string]bool)
	for d.More() {
		cve, err := key(d)
		if err != nil {
			return err
		}
		if err := l.next(ctx, d, g); err != nil {
			return err
		}
		if wrong != nil {
			continue
		}
		at := fmt.Sprintf("%s: %.60s", where, cve)
		switch {
		case !isWord(cve):
			err = fmt.Errorf("nothing is called %.60q", cve)
		case seen[cve]:
			err = errors.New("it is listed already")
		default:
			err = l.add(name, cve, at)
		}
		seen[cve] = true
		if errors.Is(err, errStopped) {
			return err
		}
		if err != nil {
			if err := l.bad(at, err); err != nil {
				return err
			}
		}
	}
	if _, err := d.Token(); err != nil {
		return unexpected(err)
	}
	if wrong != nil {
		return l.bad(where, wrong)
	}
	return nil
}

// next reads the next value, within the bounds.
func (l *listing) next(ctx context.Context, d *json.Decoder, g *gauge) error {
	if l.records++; l.records > l.source.config.Limits.Max() {
		return fmt.Errorf("more than %d records: %w", l.source.config.Limits.Max(), source.ErrTooLarge)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g.left = maxRecord
	return unexpected(d.Decode(&l.raw))
}

// add adds the record that was read to the releases that are asked for.
func (l *listing) add(name, cve, where string) error {
	var r record
	if err := json.Unmarshal(l.raw, &r); err != nil {
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

// key reads the name of a field.
func key(d *json.Decoder) (string, error) {
	t, err := d.Token()
	if err != nil {
		return "", unexpected(err)
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%.60q where a name is expected", fmt.Sprint(t))
	}
	return s, nil
}

// unexpected turns the end of the file into an early one.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A gauge ends in an error when more is read at once than is left.
type gauge struct {
	r    io.Reader
	left int
}

func (g *gauge) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, fmt.Errorf("a record of more than %d bytes: %w", maxRecord, source.ErrTooLarge)
	}
	n, err := g.r.Read(p[:min(len(p), g.left)])
	g.left -= n
	return n, err
}
