package csaf

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/providers/source"
)

// A folder is what the files of a provider say beside the documents.
type folder struct {
	publisher string               // host of the only publisher whose documents belong here; "" for any
	changed   map[string]time.Time // by file
	deleted   map[string]time.Time
}

// trusts says whether a document belongs into the folder.
func (f *folder) trusts(d *document) error {
	if f.publisher != "" && d.publisher != f.publisher {
		return fmt.Errorf("it is published by %s, provider-metadata.json says %s", d.publisher, f.publisher)
	}
	return nil
}

// open reads the files of the provider and returns the documents to read.
func (l *listing) open() ([]string, error) {
	f := &l.folder
	if err := l.metadata(); err != nil {
		return nil, err
	}
	names, err := l.walk()
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	if f.changed, err = l.days("changes.csv", there); err != nil {
		return nil, err
	}
	if f.deleted, err = l.days("deletions.csv", there); err != nil {
		return nil, err
	}
	names, err = l.index(names, there)
	if err != nil {
		return nil, err
	}
	if q := l.query.Since; !q.IsZero() {
		names = slices.DeleteFunc(names, func(name string) bool {
			at, known := f.changed[name]
			return known && at.Before(q) && f.deleted[name].Before(q)
		})
	}
	return names, nil
}

// file opens a file of the provider. It is nil if there is none.
func (l *listing) file(name string, limits source.Limits) (io.ReadCloser, error) {
	in, err := limits.Open(source.File(l.config.Folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("csaf: %s: %w", name, err)
	}
	return in, nil
}

// maxMetadata is how many bytes provider-metadata.json may have. Real ones have a few thousand.
const maxMetadata = 1 << 20

func (l *listing) metadata() error {
	const name = "provider-metadata.json"
	limits := l.config.Limits
	limits.Bytes = min(limits.Bytes, maxMetadata)
	in, err := l.file(name, limits)
	if err != nil || in == nil {
		return err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("csaf: %s: %w", name, err)
	}
	var m struct {
		Role      string `json:"role"`
		Publisher struct {
			Namespace string `json:"namespace"`
		} `json:"publisher"`
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return fmt.Errorf("csaf: %s: %w", name, err)
	}
	space, err := url.Parse(m.Publisher.Namespace)
	if err != nil || host(space) == "" {
		return fmt.Errorf("csaf: %s: publisher namespace %.80q is no URL", name, m.Publisher.Namespace)
	}
	switch m.Role {
	case "csaf_publisher", "csaf_provider", "csaf_trusted_provider":
		l.folder.publisher = host(space)
	}
	return nil
}

// days reads a table of files and times, of which it keeps those of files that are there. A row that cannot be read is told
// and passed over.
func (l *listing) days(name string, there map[string]bool) (map[string]time.Time, error) {
	in, err := l.file(name, l.config.Limits)
	if err != nil || in == nil {
		return nil, err
	}
	defer in.Close()
	days := make(map[string]time.Time)
	rows := bounded.NewCSV(in)
	for n := 1; ; n++ {
		row, line, bad, err := rows.Read()
		switch {
		case err == io.EOF:
			return days, nil
		case err == nil && n > l.config.Limits.Max():
			err = fmt.Errorf("more than %d rows: %w", l.config.Limits.Max(), source.ErrTooLarge)
		}
		if err != nil {
			return nil, fmt.Errorf("csaf: %s: %w", name, err)
		}
		if bad == nil && (len(row) < 2 || date(row[1]).IsZero()) {
			bad = errors.New("want the name of a file and a time")
		}
		if bad != nil {
			if err := l.bad(fmt.Sprintf("%s: line %d", name, line), bad); err != nil {
				return nil, err
			}
			continue
		}
		if file := path.Clean(row[0]); there[file] {
			days[strings.Clone(file)] = latest(days[file], date(row[1]))
		}
	}
}

// walk returns all documents that lie in the folder.
func (l *listing) walk() ([]string, error) {
	var names []string
	err := fs.WalkDir(l.config.Folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("csaf: %w", err)
		}
		if name == "." && !d.IsDir() {
			return errors.New("csaf: Folder: not a folder")
		}
		if !d.IsDir() && path.Ext(name) == ".json" && path.Base(name) != "provider-metadata.json" {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// maxLine is how many bytes a line of index.txt may have.
const maxLine = 64 << 10

// index returns the documents of index.txt, those that were deleted and are still there, or else all that lie in the folder.
func (l *listing) index(names []string, there map[string]bool) ([]string, error) {
	in, err := l.file("index.txt", l.config.Limits)
	if err != nil || in == nil {
		return names, err
	}
	defer in.Close()
	listed := make(map[string]bool)
	var order []string
	missing, first := 0, ""
	n := 0
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		n++
		name := strings.TrimSpace(lines.Text())
		if name == "" || listed[path.Clean(name)] {
			continue
		}
		name = path.Clean(name)
		if there[name] {
			listed[name] = true
			order = append(order, name)
		} else if missing++; missing == 1 {
			first = fmt.Sprintf("%.120q in line %d", name, n)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("csaf: index.txt: line %d: more than %d bytes: %w", n+1, maxLine, source.ErrTooLarge)
	case err != nil:
		return nil, fmt.Errorf("csaf: index.txt: line %d: %w", n+1, err)
	}
	for _, name := range names {
		if !listed[name] && !l.folder.deleted[name].IsZero() {
			order = append(order, name)
		}
	}
	if missing > 0 {
		err = l.bad("index.txt", fmt.Errorf("%d documents are listed and not there, the first is %s", missing, first))
	}
	return order, err
}
