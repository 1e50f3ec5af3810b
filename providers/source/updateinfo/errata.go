package updateinfo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/patchflow/patchflow/providers/source"
)

// An erratum is a record as errata.almalinux.org publishes it: the fields of updateinfo.xml in JSON.
type erratum struct {
	ID         string      `json:"id"`
	Title      string      `json:"title"`
	Type       string      `json:"type"`
	Severity   string      `json:"severity"`
	Issued     json.Number `json:"issued_date"` // seconds since 1970
	Updated    json.Number `json:"updated_date"`
	References []struct {
		Href  string `json:"href"`
		ID    string `json:"id"`
		Type  string `json:"type"`
		Title string `json:"title"`
	} `json:"references"`
	Packages []struct {
		Name     string `json:"name"`
		Epoch    string `json:"epoch"`
		Version  string `json:"version"`
		Release  string `json:"release"`
		Arch     string `json:"arch"`
		Src      string `json:"src"`
		Filename string `json:"filename"`
		Sum      string `json:"checksum"`
		SumKind  string `json:"checksum_type"`
		Reboot   flag   `json:"reboot_suggested"`
		Module   string `json:"module"` // "nodejs:18:9040020240510175312:8cf767d6:x86_64"
	} `json:"packages"`
}

// A flag is a number or a truth value.
type flag bool

func (f *flag) UnmarshalJSON(text []byte) error {
	word := strings.Trim(string(text), `"`)
	*f = flag(word != "null" && !denied(word))
	return nil
}

// readErrata reads errata of AlmaLinux: an object with a list of them in its field "data".
func (l *listing) readErrata(in io.Reader, repository int, file string) error {
	return l.source.config.Limits.ReadObject(in, source.Records{
		Arrays: []string{"data"},
		Record: func(_ string, n int, raw json.RawMessage, bad error) error {
			if err := l.alive(); err != nil {
				return err
			}
			where := fmt.Sprintf("%s: record %d", file, n)
			var e erratum
			if bad == nil {
				bad = json.Unmarshal(raw, &e)
			}
			if bad != nil {
				return l.record(where, bad)
			}
			return l.addErratum(&e, repository, where)
		},
	})
}

func (l *listing) addErratum(e *erratum, repository int, where string) error {
	r := record{
		repository: repository, where: where,
		id: trim(e.ID), title: trim(e.Title), kind: trim(e.Type), severity: trim(e.Severity),
		issued: e.Issued.String(), updated: e.Updated.String(),
	}
	for range 1 + len(e.References) + len(e.Packages) {
		if err := l.count(); err != nil {
			return err
		}
	}
	for _, o := range e.References {
		r.references = append(r.references, reference{href: o.Href, id: o.ID, kind: o.Type, title: o.Title})
	}
	for i := range e.Packages {
		p := &e.Packages[i]
		o := offered{
			where: fmt.Sprintf("package %d", i+1), name: p.Name, epoch: p.Epoch, version: p.Version, release: p.Release, arch: p.Arch,
			src: p.Src, filename: p.Filename, sumKind: p.SumKind, sum: p.Sum,
		}
		if name, rest, found := strings.Cut(p.Module, ":"); found {
			stream, _, _ := strings.Cut(rest, ":")
			o.module = name + ":" + stream
		}
		r.reboot = r.reboot || bool(p.Reboot)
		r.packages = append(r.packages, o)
	}
	return l.add(&r)
}
