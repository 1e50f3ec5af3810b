package apt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/internal/deb822"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/debian"
)

const listsDir = "var/lib/apt/lists"

// A List is an index that apt fetched, with what the Release file of its archive says of it. apt has verified the
// signature before it put the files there; nothing verifies it again.
type List struct {
	debian.Index // Name is the file, below the root

	Label      string    // "Debian-Security"
	Suite      string    // "oldstable-security"
	Date       time.Time // when the archive was made; zero if unknown
	ValidUntil time.Time // from when on a newer one must exist; zero if the archive does not say
}

// Lists returns the indices in var/lib/apt/lists, sorted by file name, plain or compressed.
//
// The origin of an index is the Codename of its archive, or the Suite where that is the more exact one (Ubuntu calls every
// suite "jammy" and "jammy-security" in turn); without a Release file it is the file's name, and no security archive.
//
// The error gathers what could not be used, each with its file; one in a compression that is not read here
// (lzma) wraps [errors.ErrUnsupported]. What could be used is returned beside it: a listing of patches
// made of it is not complete.
func (r Root) Lists(ctx context.Context) ([]List, error) {
	root, err := r.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), listsDir)
	if err != nil {
		return nil, fmt.Errorf("apt: lists: %w", err)
	}
	var wrong *multierror.Error
	archives := make(map[string]List) // by the beginning of their files' names
	for _, entry := range entries {
		for _, suffix := range []string{"_InRelease", "_Release"} {
			prefix, found := strings.CutSuffix(entry.Name(), suffix)
			if _, known := archives[prefix]; !found || known {
				continue
			}
			archive, err := readArchive(r.opener(path.Join(listsDir, entry.Name())))
			if err != nil {
				wrong = multierror.Append(wrong, fmt.Errorf("apt: lists: %s: %w", entry.Name(), err))
				continue
			}
			archives[prefix] = archive
		}
	}
	var lists []List
	for _, entry := range entries {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		stem := entry.Name()
		if slices.Contains([]string{".gz", ".xz", ".lz4", ".bz2", ".zst", ".lzma"}, path.Ext(stem)) {
			stem = strings.TrimSuffix(stem, path.Ext(stem))
		}
		stem, found := strings.CutSuffix(stem, "_Packages")
		if !found || entry.IsDir() {
			continue
		}
		list := List{Index: debian.Index{Origin: stem}}
		longest := -1
		for prefix, archive := range archives {
			if (stem == prefix || strings.HasPrefix(stem, prefix+"_")) && len(prefix) > longest {
				list, longest = archive, len(prefix)
				if list.Origin == "" {
					list.Origin = stem
				}
			}
		}
		list.Name = path.Join(listsDir, entry.Name())
		list.Open = r.opener(list.Name)
		if err := readable(list.Open); err != nil {
			wrong = multierror.Append(wrong, fmt.Errorf("apt: lists: %s: %w", entry.Name(), err))
			continue
		}
		lists = append(lists, list)
	}
	if len(lists) == 0 && wrong == nil {
		return nil, fmt.Errorf("apt: lists: no index in %s: %w", listsDir, fs.ErrNotExist)
	}
	return lists, wrong.ErrorOrNil()
}

// Indices returns the same as [Root.Lists], as a [debian.Config] wants it.
func (r Root) Indices(ctx context.Context) ([]debian.Index, error) {
	lists, err := r.Lists(ctx)
	var indices []debian.Index
	for _, list := range lists {
		indices = append(indices, list.Index)
	}
	return indices, err
}

// readable says whether the beginning of a file is of a format that is read here.
func readable(open source.Opener) error {
	f, err := open()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = bounded.NewReader(f, bounded.Limits{})
	return err
}

// readArchive reads an InRelease or Release file.
func readArchive(open source.Opener) (List, error) {
	const (
		codename = iota
		suite
		label
		date
		validUntil
	)
	f, err := open()
	if err != nil {
		return List{}, err
	}
	defer f.Close()
	content, err := bounded.NewReader(f, bounded.Limits{Bytes: 64 << 20})
	if err != nil {
		return List{}, err
	}
	stanzas := deb822.NewReader(content, deb822.Config{
		Fields: []string{"Codename", "Suite", "Label", "Date", "Valid-Until"}, Signed: true, Stanza: 64 << 20,
	})
	for {
		stanza, err := stanzas.Next()
		if err == io.EOF {
			return List{}, errors.New("it says neither Codename nor Suite nor Date")
		}
		if err != nil {
			return List{}, err
		}
		if !stanza.Has(codename) && !stanza.Has(suite) && !stanza.Has(date) {
			continue // the armour has a stanza of its own
		}
		list := List{Label: stanza.Text(label), Suite: stanza.Text(suite)}
		list.Origin = stanza.Text(codename)
		if strings.HasPrefix(list.Suite, list.Origin) {
			list.Origin = list.Suite
		}
		list.Security = list.Label == "Debian-Security" || strings.HasSuffix(list.Origin, "-security")
		if list.Date, err = parseDate(stanza.Text(date)); err != nil {
			return List{}, fmt.Errorf("line %d: field Date: %w", stanza.Line, err)
		}
		if list.ValidUntil, err = parseDate(stanza.Text(validUntil)); err != nil {
			return List{}, fmt.Errorf("line %d: field Valid-Until: %w", stanza.Line, err)
		}
		return list, nil
	}
}

// parseDate reads "Sat, 21 Nov 2026 00:53:02 UTC", in which the zone is always UTC. An absent date is zero.
func parseDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 UTC", "Mon, _2 Jan 2006 15:04:05 GMT", "Mon, _2 Jan 2006 15:04:05 +0000"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.60q is no date in UTC", text)
}
