package winget

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// index lists what has no manifest.
func (l *listing) index() error {
	file, err := l.config.Limits.Open(l.config.Index)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	defer file.Close()
	manifests := make(map[patch.ID]bool, len(l.seen))
	for id := range l.seen {
		manifests[id] = true
	}
	stopped := false
	err = l.config.Limits.ReadArray(file, func(n int, raw json.RawMessage, err error) error {
		var p patch.Patch
		if err == nil {
			p, err = entry(raw)
		}
		if err == nil && manifests[p.ID] {
			return l.ctx.Err()
		}
		err = l.give(fmt.Sprintf("index: entry %d", n), p, err)
		stopped = err != nil
		return err
	})
	if err != nil && !stopped && l.ctx.Err() == nil {
		err = fmt.Errorf("index: %w", err)
	}
	return err
}

// entry makes a patch of an entry of the index.
func entry(raw json.RawMessage) (patch.Patch, error) {
	var got struct {
		Name, PackageID, Version, LastUpdate string
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return patch.Patch{}, err
	}
	p, err := newPatch(got.PackageID, got.Version, got.Name)
	if err != nil {
		return patch.Patch{}, err
	}
	if got.LastUpdate != "" {
		if p.Modified, err = time.Parse(time.RFC3339, got.LastUpdate); err != nil {
			return patch.Patch{}, fmt.Errorf("%s: field LastUpdate is %q", p.ID, abbreviate(got.LastUpdate))
		}
		p.Modified = p.Modified.UTC()
	}
	return p, nil
}

// newPatch returns the patch that brings a package to a version.
func newPatch(id, to, name string) (patch.Patch, error) {
	if !isIdentifier(id) {
		return patch.Patch{}, fmt.Errorf("no package is called %q", abbreviate(id))
	}
	if !isVersion(to) {
		return patch.Patch{}, fmt.Errorf("%s: %q is no version", id, abbreviate(to))
	}
	if name == "" {
		name = id
	}
	return patch.Patch{
		ID:       patch.ID("winget:" + id + "=" + to),
		Title:    name + " " + to,
		Platform: patch.Platform{OS: "windows"},
		Packages: []patch.Package{{Ecosystem: Ecosystem, Name: id, Fixed: version.Version{Scheme: version.WinGet, Text: to}}},
	}, nil
}

// isIdentifier accepts what the schema of manifests does: two to eight words of up to 32 characters, parted by dots.
func isIdentifier(id string) bool {
	if len(id) > 512 {
		return false
	}
	words, letters := 1, 0
	for _, c := range id {
		switch {
		case c == '.':
			if letters == 0 {
				return false
			}
			words, letters = words+1, 0
		case c <= ' ', forbidden(c):
			return false
		default:
			letters++
		}
		if letters > 32 || words > 8 {
			return false
		}
	}
	return letters > 0 && words > 1
}

// isVersion accepts what the schema of manifests does: up to 128 characters that can be in the name of a file.
func isVersion(text string) bool {
	if text == "" || len(text) > 512 || text[0] == ' ' || text[len(text)-1] == ' ' {
		return false
	}
	n := 0
	for _, c := range text {
		if n++; n > 128 || c < ' ' || forbidden(c) {
			return false
		}
	}
	return true
}

// forbidden says whether Windows allows no file with such a character in its name, or the text is not UTF-8.
func forbidden(c rune) bool {
	switch c {
	case '\\', '/', ':', '*', '?', '"', '<', '>', '|', '\ufffd', '\u007f':
		return true
	}
	return false
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
