package fetch

import (
	"fmt"
	"io/fs"
	"net/url"

	"github.com/patchflow/patchflow/patch"
)

// A Folder is where files lie together, such as a repository.
type Folder struct {
	Name string   // what the names of its files begin with: "bookworm-security"
	URLs []string // of the folder: mirrors, in the order in which they are asked
}

// File returns the file at a path below the folder, with slashes: "repodata/repomd.xml". The path often is from a file that
// was fetched before: one that leaves the folder is an error that wraps [patch.ErrPermanent].
func (d Folder) File(path string) (File, error) {
	if !fs.ValidPath(path) || path == "." {
		return File{}, fmt.Errorf("fetch: %s: %q is no path below the folder: %w", d.Name, path, patch.ErrPermanent)
	}
	f := File{Name: d.Name + "/" + path}
	for i, text := range d.URLs {
		u, err := url.Parse(text)
		if err != nil { // its text may hold a password
			return File{}, fmt.Errorf("fetch: %s: URLs[%d] is no address: %w", d.Name, i, patch.ErrPermanent)
		}
		f.URLs = append(f.URLs, u.JoinPath((&url.URL{Path: path}).EscapedPath()).String())
	}
	return f, nil
}
