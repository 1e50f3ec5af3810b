package csaf

import (
	"encoding/csv"
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
	var err error
	if f.changed, err = l.days("changes.csv"); err != nil {
		return nil, err
	}
	if f.deleted, err = l.days("deletions.csv"); err != nil {
		return nil, err
	}
	names, err := l.index()
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

// file returns the content of a file of the provider, and whether it is there.
func (l *listing) file(name string) (content []byte, found bool, err error) {
	in, err := l.config.Limits.Open(source.File(l.config.Folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("csaf: %s: %w", name, err)
	}
	defer in.Close()
	content, err = io.ReadAll(in)
	if err != nil {
		return nil, false, fmt.Errorf("csaf: %s: %w", name, err)
	}
	return content, true, nil
}

func (l *listing) metadata() error {
	const name = "provider-metadata.json"
	content, found, err := l.file(name)
	if err != nil || !found {
		return err
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

// days reads a table of files and times. A row that cannot be read is told and passed over.
func (l *listing) days(name string) (map[string]time.Time, error) {
	content, found, err := l.file(name)
	if err != nil || !found {
		return nil, err
	}
	days := make(map[string]time.Time)
	rows := csv.NewReader(strings.NewReader(string(content)))
	rows.FieldsPerRecord = -1
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return days, nil
		}
		line := 0
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			line, err = syntax.StartLine, syntax.Err
		case err != nil:
			return nil, fmt.Errorf("csaf: %s: %w", name, err)
		default:
			line, _ = rows.FieldPos(0)
			if len(row) < 2 || date(row[1]).IsZero() {
				err = errors.New("want the name of a file and a time")
			}
		}
		if err != nil {
			if err := l.bad(fmt.Sprintf("%s: line %d", name, line), err); err != nil {
				return nil, err
			}
			continue
		}
		days[path.Clean(row[0])] = latest(days[path.Clean(row[0])], date(row[1]))
	}
}

// index returns the documents of index.txt, those that were deleted and are still there, or else all that lie in the folder.
func (l *listing) index() ([]string, error) {
	there := make(map[string]bool)
	var names []string
	err := fs.WalkDir(l.config.Folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("csaf: %w", err)
		}
		if name == "." && !d.IsDir() {
			return errors.New("csaf: Folder: not a folder")
		}
		if !d.IsDir() && path.Ext(name) == ".json" && path.Base(name) != "provider-metadata.json" {
			there[name] = true
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	content, found, err := l.file("index.txt")
	if err != nil || !found {
		return names, err
	}
	listed := make(map[string]bool)
	var order []string
	missing, first := 0, ""
	n := 0
	for line := range strings.Lines(string(content)) {
		n++
		name := strings.TrimSpace(line)
		if name == "" || listed[path.Clean(name)] {
			continue
		}
		name = path.Clean(name)
		listed[name] = true
		if there[name] {
			order = append(order, name)
		} else if missing++; missing == 1 {
			first = fmt.Sprintf("%.120q in line %d", name, n)
		}
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
