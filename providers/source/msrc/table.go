package msrc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/providers/source"
)

// columns are the places of the columns of a table; -1 for one that it does not have.
type columns struct{ kb, supersedes, cve, title, severity, posted, product int }

func columnsOf(head []string) (columns, error) {
	c := columns{-1, -1, -1, -1, -1, -1, -1}
	for i, name := range head {
		for known, place := range map[string]*int{
			"bulletinkb": &c.kb, "supersedes": &c.supersedes, "cve": &c.cve, "title": &c.title, "severity": &c.severity,
			"dateposted": &c.posted, "affectedproduct": &c.product,
		} {
			if strings.EqualFold(strings.TrimPrefix(name, "\ufeff"), known) {
				*place = i
			}
		}
	}
	if c.kb < 0 || c.supersedes < 0 {
		return c, errors.New("no columns BulletinKB and Supersedes")
	}
	return c, nil
}

// table reads the table of supersedence into the updates, row by row.
func (l *listing) table(ctx context.Context) error {
	in, err := l.config.Limits.Open(l.config.Supersedence)
	if err != nil {
		return fmt.Errorf("msrc: supersedence: %w", err)
	}
	defer in.Close()
	rows := bounded.NewCSV(in)
	head, _, bad, err := rows.Read()
	if err == nil {
		err = bad
	}
	if err != nil {
		return fmt.Errorf("msrc: supersedence: %w", noEOF(err))
	}
	width := len(head)
	at, err := columnsOf(head)
	if err != nil {
		return fmt.Errorf("msrc: supersedence: line 1: %w", err)
	}
	for {
		row, line, bad, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = l.count(ctx)
		}
		if err != nil {
			return fmt.Errorf("msrc: supersedence: %w", err)
		}
		if bad == nil && len(row) != width {
			bad = fmt.Errorf("%d fields, want %d", len(row), width)
		}
		if bad != nil {
			err = l.tell(source.Bad(fmt.Sprintf("msrc: supersedence: line %d", line), bad))
		} else {
			err = l.row(row, at, line)
		}
		if err != nil {
			return err
		}
	}
}

func (l *listing) row(row []string, at columns, line int) error {
	field := func(i int) string {
		if i < 0 {
			return ""
		}
		return strings.TrimSpace(row[i])
	}
	kb := field(at.kb)
	if kb == "" {
		return nil
	}
	id, ok := kbID(kb)
	if !ok {
		if l.refused[kb] {
			return nil
		}
		l.refused[strings.Clone(kb)] = true
		return l.tell(source.Bad(fmt.Sprintf("msrc: supersedence: line %d", line), fmt.Errorf("BulletinKB %.60q names no KB", kb)))
	}
	u := l.update(id)
	if product := field(at.product); !u.products[product] {
		u.products.add(strings.Clone(product))
	}
	if raw := field(at.supersedes); raw != "" && !u.superRaw[raw] {
		u.superRaw.add(strings.Clone(raw))
		for _, id := range kbIDs(raw) {
			u.supersedes.add(string(id))
		}
	}
	posted, err := time.Parse("20060102", field(at.posted))
	if err != nil {
		posted = time.Time{}
	}
	u.seen(posted, posted)
	word := field(at.severity)
	name := field(at.cve)
	if name == "" { // a KB without a CVE of its own, as those for Adobe's Flash Player were
		if word != "" && word != u.rated.raw {
			u.rated = u.rated.worst(rated{source.Severity(word), strings.Clone(word)})
		}
		return nil
	}
	a := u.advisories[name]
	if a == nil {
		a = u.advisory(strings.Clone(name), strings.Clone(field(at.title)))
		a.Published = posted
	}
	if word != "" && word != a.SeverityRaw {
		a.rate(rated{source.Severity(word), strings.Clone(word)})
	}
	return nil
}
