package updateinfo

import (
	"encoding/xml"
	"fmt"
	"io"

	"github.com/patchflow/patchflow/providers/source"
)

// A record is an advisory as it stands in a file.
type record struct {
	repository int
	where      string // file and position, for errors

	id, title, kind, severity     string
	status, from, version, issued string
	updated, release              string
	reboot                        bool // a restart of the system is suggested
	restart                       bool // one of services or sessions
	references                    []reference
	packages                      []offered
}

// maxParts is how many packages, and how many references, an advisory may have. Real ones have up to two thousand.
const maxParts = 20_000

type reference struct{ href, id, kind, title string }

// An offered package is one of a record as it stands there.
type offered struct {
	where string // position, for errors

	name, epoch, version, release, arch string
	src, filename, sumKind, sum         string
	module                              string // the stream: "nodejs:18"
}

// readUpdates reads an updateinfo.xml.
func (l *listing) readUpdates(in io.Reader, repository int, file string) error {
	x := newXMLReader(in)
	if err := x.root("updates"); err != nil {
		return err
	}
	err := x.each(func(start xml.StartElement) error {
		if start.Name.Local != "update" {
			return x.skip()
		}
		if err := l.alive(); err != nil {
			return err
		}
		r := record{repository: repository, where: position(file, x.Line())}
		if err := l.readUpdate(x, start, &r); err != nil {
			return err
		}
		return l.add(&r)
	})
	if err != nil {
		return err
	}
	return x.end()
}

func (l *listing) readUpdate(x *xmlReader, start xml.StartElement, r *record) error {
	if err := l.count(); err != nil {
		return err
	}
	r.kind, r.status = attribute(start, "type"), attribute(start, "status")
	r.from, r.version = attribute(start, "from"), attribute(start, "version")
	return x.each(func(start xml.StartElement) error {
		var err error
		switch start.Name.Local {
		case "id":
			r.id, err = x.text()
		case "title":
			r.title, err = x.text()
		case "severity":
			r.severity, err = x.text()
		case "release":
			r.release, err = x.text()
		case "issued":
			r.issued = attribute(start, "date")
			err = x.skip()
		case "updated":
			r.updated = attribute(start, "date")
			err = x.skip()
		case "reboot_suggested":
			err = x.flag(&r.reboot)
		case "restart_suggested", "relogin_suggested":
			err = x.flag(&r.restart)
		case "references":
			err = x.each(func(start xml.StartElement) error {
				if start.Name.Local == "reference" {
					if len(r.references) >= maxParts {
						return fmt.Errorf("line %d: an advisory of more than %d references: %w", x.Line(), maxParts, source.ErrTooLarge)
					}
					r.references = append(r.references, reference{
						href: attribute(start, "href"), id: attribute(start, "id"),
						kind: attribute(start, "type"), title: attribute(start, "title"),
					})
					if err := l.count(); err != nil {
						return err
					}
				}
				return x.skip()
			})
		case "pkglist":
			err = x.each(func(start xml.StartElement) error {
				if start.Name.Local != "collection" {
					return x.skip()
				}
				return l.readCollection(x, r)
			})
		default:
			err = x.skip()
		}
		return err
	})
}

// readCollection reads the packages of one collection. They belong to the module that it names, wherever in it that stands.
func (l *listing) readCollection(x *xmlReader, r *record) error {
	module, from := "", len(r.packages)
	err := x.each(func(start xml.StartElement) error {
		switch start.Name.Local {
		case "module":
			if name, stream := attribute(start, "name"), attribute(start, "stream"); name != "" && stream != "" {
				module = name + ":" + stream
			}
		case "package":
			return l.readPackage(x, start, r)
		}
		return x.skip()
	})
	for i := from; i < len(r.packages); i++ {
		r.packages[i].module = module
	}
	return err
}

func (l *listing) readPackage(x *xmlReader, start xml.StartElement, r *record) error {
	if err := l.count(); err != nil {
		return err
	}
	p := offered{
		where: position("", x.Line()),
		name:  attribute(start, "name"), arch: attribute(start, "arch"), src: attribute(start, "src"),
		epoch: attribute(start, "epoch"), version: attribute(start, "version"), release: attribute(start, "release"),
	}
	if len(r.packages) >= maxParts {
		return fmt.Errorf("line %d: an advisory of more than %d packages: %w", x.Line(), maxParts, source.ErrTooLarge)
	}
	err := x.each(func(start xml.StartElement) error {
		var err error
		switch start.Name.Local {
		case "filename":
			p.filename, err = x.text()
		case "sum":
			var sum string
			kind := attribute(start, "type")
			if sum, err = x.text(); err == nil && (p.sum == "" || weak(p.sumKind)) {
				p.sumKind, p.sum = kind, sum // of several the strong one counts
			}
		case "reboot_suggested":
			err = x.flag(&r.reboot)
		case "restart_suggested", "relogin_suggested":
			err = x.flag(&r.restart)
		default:
			err = x.skip()
		}
		return err
	})
	r.packages = append(r.packages, p)
	return err
}

// flag reads an element that suggests something. It does by being there, unless its text denies it.
func (x *xmlReader) flag(to *bool) error {
	text, err := x.text()
	*to = *to || !denied(text)
	return err
}
