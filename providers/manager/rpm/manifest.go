package rpm

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// A manifestEntry is a package of an rpm-manifest.
type manifestEntry struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Release string `json:"release"`
	Arch    string `json:"architecture"`
	Source  string `json:"srpm_nevra"` // "lvm2-8:2.03.02-6.el8.src"
}

// ReadManifest reads the list of the packages in a container image as Red Hat's catalogue of images gives it (catalog.redhat.com,
// "rpm-manifest"), plain or compressed, and returns it as software of the ecosystem, in the order of the file. Nothing tells of
// modules.
//
// The manifest has the epochs of source packages, not of packages. A package whose version and release are those of its source has
// its epoch too: so rpmbuild does it unless told otherwise. Where they differ and the source has an epoch (device-mapper
// has that of lvm2, perl-B has not that of perl) the version is not known.
//
// The list is nil if the file could not be read to its end. Otherwise it is what could be read, and the error gathers what could
// not, each with the number of its record and wrapping [patch.ErrRecord]. Such a list is partial.
func ReadManifest(r io.Reader, ecosystem string) ([]inventory.Software, error) {
	content, err := source.Limits{}.Reader(r)
	if err != nil {
		return nil, fmt.Errorf("rpm: manifest: %w", err)
	}
	software := []inventory.Software{}
	var wrong *multierror.Error
	err = source.Limits{}.ReadObject(content, source.Records{
		Arrays: []string{"rpms"},
		Record: func(_ string, n int, raw json.RawMessage, err error) error {
			var e manifestEntry
			if err == nil {
				err = json.Unmarshal(raw, &e)
			}
			if err == nil && e.Name == "gpg-pubkey" {
				return nil
			}
			var s inventory.Software
			if err == nil {
				s, err = e.software()
			}
			if err != nil {
				wrong = multierror.Append(wrong, fmt.Errorf("rpm: manifest: record %d: %w: %w", n, err, patch.ErrRecord))
				return nil
			}
			s.Ecosystem = ecosystem
			software = append(software, s)
			return nil
		},
	})
	if err != nil {
		return nil, multierror.Append(wrong, fmt.Errorf("rpm: manifest: %w", err))
	}
	return software, wrong.ErrorOrNil()
}

func (e *manifestEntry) software() (inventory.Software, error) {
	s := inventory.Software{Manager: Manager, Name: e.Name, Arch: e.Arch}
	if !isName(e.Name) || !isName(e.Arch) {
		return s, fmt.Errorf("name is %q, architecture %q", abbreviate(e.Name), abbreviate(e.Arch))
	}
	// Written without its epoch it is the name of a file.
	named, after, found := strings.Cut(e.Source, ":")
	at := strings.LastIndexByte(named, '-')
	if !found || at < 0 {
		return s, fmt.Errorf("package %s: source package is %q", e.Name, abbreviate(e.Source))
	}
	epoch := named[at+1:]
	name, release, found := sourceOf(named[:at+1] + after + ".rpm")
	if !found {
		return s, fmt.Errorf("package %s: source package is %q", e.Name, abbreviate(e.Source))
	}
	if name != e.Name {
		s.Source = name
	}
	if release != e.Version+"-"+e.Release {
		if epoch != "0" {
			return s, fmt.Errorf("package %s %s-%s of %s: epoch is not known", e.Name, e.Version, e.Release, e.Source)
		}
		s.SourceVersion = version.Version{Scheme: version.RPM, Text: release}
	}
	var err error
	if s.Version, err = versionOf(epoch, e.Version, e.Release); err != nil {
		return s, fmt.Errorf("package %s: %w", e.Name, err)
	}
	return s, nil
}
