// Package epss reads a day's scores of the Exploit Prediction Scoring System of FIRST.org and adds them to the advisories that
// name a CVE which has one.
//
// [Read] reads a file into [Scores], which answers questions about single CVEs ([Scores.Score]) and is an enricher: an advisory
// gets the highest probability of those of its CVEs.
//
// Probabilities go up and down from day to day, and an enricher never lowers anything: in one catalog an advisory keeps the
// highest that any of the files gave it. To follow the days, enrich what the sources list, every day anew, with the newest
// file, and not what was enriched with an older one. [Scores.Date] says how old a file is; nothing here thinks about that.
//
// What is read is the daily file in CSV, compressed or not, from the one of April 2021, which has no percentiles and no
// comment, to those of 2025; and the JSON of vulsio's mirror. A CVE without a score is unknown. Scores say nothing of packages
// or of the grade of a danger. FIRST.org gives the data away and asks to be named as its origin. The package fetches nothing.
package epss

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// Config says what is read. Open is required.
type Config struct {
	Name   string // of the file, for errors; "" means "scores"
	Open   source.Opener
	Limits source.Limits // Bytes is 128 MiB if zero; a day of 2025 has about 10
}

// A Score is what is expected of one CVE.
type Score struct {
	Probability float64 // of exploitation within the next 30 days, from 0 to 1
	Percentile  float64 // the share of all CVEs with the same or a lower probability, from 0 to 1; 0 if the file does not say
}

// Scores are those of one day. They are immutable, and safe for concurrent use. The zero Scores are empty.
type Scores struct {
	model string
	date  time.Time
	byCVE map[string]Score
}

var _ patch.Enricher = (*Scores)(nil)

// Model returns the version of the model, "v2025.03.14", or "" if the file does not say.
func (s *Scores) Model() string { return s.model }

// Date returns when the scores were computed, or zero if the file does not say.
func (s *Scores) Date() time.Time { return s.date }

// Len returns the number of CVEs with a score.
func (s *Scores) Len() int { return len(s.byCVE) }

// Score returns the score of a CVE, and whether it has one.
func (s *Scores) Score(cve string) (Score, bool) {
	score, found := s.byCVE[cve]
	return score, found
}

// Enrich implements [patch.Enricher]. What is added is credited to the day, "epss:2025-12-26", or to "epss:scores".
func (s *Scores) Enrich(ctx context.Context, catalog *patch.Catalog) ([]patch.Patch, error) {
	known := func(cve string) bool {
		_, found := s.byCVE[cve]
		return found
	}
	from := patch.ID("epss:scores")
	if !s.date.IsZero() {
		from = patch.ID("epss:" + s.date.Format(time.DateOnly))
	}
	return source.Enrich(ctx, catalog, known, func(a *source.Addition) bool {
		changed := false
		for _, name := range a.CVEs {
			if p := s.byCVE[name].Probability; p > a.Advisory.EPSS {
				a.Advisory.EPSS, changed = p, true
				a.Credit("epss", from)
			}
		}
		return changed
	})
}

// Read reads the scores of a day, plain or compressed: JSON if its first character is a brace, else CSV.
//
// There are three outcomes. With err nil the scores are all that could be read, and refused holds one error for each record
// that could not, which names the file and the place and wraps [patch.ErrRecord]: a CVE without a name, a probability that is
// no number from 0 to 1, a CVE that stands there already, of which the higher probability counts. With err not nil there are
// no scores, because the file could not be read to its end; refused holds what was refused until then. That a plain CSV file
// was cut off between two lines cannot be seen.
func Read(ctx context.Context, config Config) (s *Scores, refused []error, err error) {
	if config.Open == nil {
		return nil, nil, errors.New("epss: config: Open is required")
	}
	config.Name = cmp.Or(config.Name, "scores")
	config.Limits.Bytes = cmp.Or(max(config.Limits.Bytes, 0), 128<<20)
	r := reading{Config: config, ctx: ctx, result: &Scores{byCVE: make(map[string]Score)}}
	if err := r.read(); err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("epss: %s: %w", config.Name, err)
		}
		return nil, r.refused, err
	}
	return r.result, r.refused, nil
}

// A reading is one call of [Read].
type reading struct {
	Config
	ctx     context.Context
	result  *Scores
	refused []error
}

func (r *reading) read() error {
	file, err := r.Limits.Open(r.Open)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	first, err := in.Peek(1)
	switch {
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case first[0] == '{':
		return r.json(in)
	}
	return r.csv(in)
}

func (r *reading) json(in io.Reader) error {
	return r.Limits.ReadObject(in, source.Records{
		Arrays: []string{"data"},
		Field: func(name string, raw json.RawMessage) error {
			var text string
			switch name {
			case "score_date", "model_version":
				if err := json.Unmarshal(raw, &text); err != nil {
					return fmt.Errorf("field %s: %w", name, err)
				}
			}
			return r.about(name, text)
		},
		Record: func(_ string, n int, raw json.RawMessage, err error) error {
			var got struct {
				ID         string   `json:"id"`
				EPSS       *float64 `json:"epss"`
				Percentile float64  `json:"percentile"`
			}
			if err == nil {
				err = json.Unmarshal(raw, &got)
			}
			switch {
			case err != nil:
			case got.EPSS == nil:
				err = fmt.Errorf("%s has no probability", abbreviate(got.ID))
			default:
				err = r.keep(got.ID, Score{*got.EPSS, got.Percentile})
			}
			return r.refuse(func() string { return "record " + strconv.Itoa(n) }, err)
		},
	})
}

// about takes what the file says about itself.
func (r *reading) about(name, text string) (err error) {
	switch name {
	case "model_version":
		r.result.model = text
	case "score_date":
		if r.result.date, err = time.Parse(time.RFC3339, text); err != nil {
			// The other form has no colon in its offset.
			if r.result.date, err = time.Parse("2006-01-02T15:04:05-0700", text); err != nil {
				return fmt.Errorf("field score_date is %q", abbreviate(text))
			}
		}
		r.result.date = r.result.date.UTC()
	}
	return nil
}

// maxLine is how many bytes a line may have. Real ones have fewer than 80.
const maxLine = 4 << 10

func (r *reading) csv(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	width, n, records := 0, 0, 0
	for lines.Scan() {
		n++
		line := lines.Bytes()
		switch {
		case len(line) == 0:
			continue
		case line[0] == '#':
			if err := r.comment(string(line[1:])); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			continue
		case width == 0:
			switch string(line) {
			case "cve,epss":
				width = 2
			case "cve,epss,percentile":
				width = 3
			default:
				return fmt.Errorf("line %d: the columns are %q", n, abbreviate(string(line)))
			}
			continue
		}
		if records++; records > r.Limits.Max() {
			return fmt.Errorf("more than %d records: %w", r.Limits.Max(), source.ErrTooLarge)
		}
		if err := r.refuse(func() string { return "line " + strconv.Itoa(n) }, r.row(line, width)); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: more than %d bytes: %w", n+1, maxLine, source.ErrTooLarge)
	case err != nil:
		return fmt.Errorf("line %d: %w", n+1, err)
	case width == 0:
		return fmt.Errorf("no columns are named: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

// comment reads "model_version:v2025.03.14,score_date:2025-12-26T12:55:00Z".
func (r *reading) comment(text string) error {
	for field := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(field, ":")
		if err := r.about(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) row(line []byte, width int) error {
	cve, rest, _ := bytes.Cut(line, []byte{','})
	if bytes.Count(line, []byte{','}) != width-1 {
		return fmt.Errorf("%d fields, want %d", bytes.Count(line, []byte{','})+1, width)
	}
	text, more, _ := bytes.Cut(rest, []byte{','})
	var s Score
	var err error
	if s.Probability, err = number(text); err != nil {
		return fmt.Errorf("field epss: %w", err)
	}
	if width > 2 {
		if s.Percentile, err = number(more); err != nil {
			return fmt.Errorf("field percentile: %w", err)
		}
	}
	return r.keep(string(cve), s)
}

func number(text []byte) (float64, error) {
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", abbreviate(string(text)))
	}
	return n, nil
}

// keep takes a score, or says why not.
func (r *reading) keep(cve string, s Score) error {
	if !source.IsCVE(cve) {
		return fmt.Errorf("no CVE is called %q", abbreviate(cve))
	}
	// What is not a number compares as false.
	if !(s.Probability >= 0 && s.Probability <= 1 && s.Percentile >= 0 && s.Percentile <= 1) {
		return fmt.Errorf("%s: %v and %v are not from 0 to 1", cve, s.Probability, s.Percentile)
	}
	other, found := r.result.byCVE[cve]
	if !found || s.Probability > other.Probability {
		r.result.byCVE[cve] = s
	}
	if found {
		return fmt.Errorf("%s stands there already", cve)
	}
	return nil
}

// refuse notes why a record was not taken, if it was not. Its error ends the reading.
func (r *reading) refuse(where func() string, err error) error {
	if err != nil {
		if r.refused, err = r.Limits.Refuse(r.refused, source.Bad("epss: "+r.Name+": "+where(), err)); err != nil {
			return err
		}
	}
	return r.ctx.Err()
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
