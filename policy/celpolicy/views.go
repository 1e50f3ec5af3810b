package celpolicy

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// A Patch is what an expression sees of a [patch.Patch]. Fields that are empty or zero are unknown to it, but for contested
// and withdrawn.
type Patch struct {
	ID             string    `cel:"id"`
	Source         string    `cel:"source"`
	Title          string    `cel:"title"`
	Classification string    `cel:"classification"`
	Severity       int       `cel:"severity"` // to be compared with low, moderate, important and critical
	Exploited      bool      `cel:"exploited"`
	Contested      bool      `cel:"contested"`
	Withdrawn      bool      `cel:"withdrawn"`
	EPSS           float64   `cel:"epss"`
	CVSS           float64   `cel:"cvss"`
	CVEs           []string  `cel:"cves"`
	Packages       []string  `cel:"packages"`
	Reboot         string    `cel:"reboot"`
	Reversal       string    `cel:"reversal"`
	Size           int64     `cel:"size"`
	Released       time.Time `cel:"released"`
	Modified       time.Time `cel:"modified"`
}

// A Device is what an expression sees of an [inventory.Device]. Fields that are empty or zero are unknown to it, but for
// tenant, and so is a label that the device does not have if the expression names it.
type Device struct {
	ID            string            `cel:"id"`
	Name          string            `cel:"name"`
	Tenant        string            `cel:"tenant"`
	OS            string            `cel:"os"`
	Version       string            `cel:"version"`
	Arch          string            `cel:"arch"`
	Zone          string            `cel:"zone"`
	Exposure      string            `cel:"exposure"`
	PendingReboot bool              `cel:"pendingReboot"`
	LastSeen      time.Time         `cel:"lastSeen"`
	Labels        map[string]string `cel:"labels"`
}

// patchVars returns what an expression sees of x, and what it does not know.
func patchVars(x *patch.Patch, now time.Time) (p Patch, unknown []*cel.AttributePatternType) {
	if now.IsZero() {
		unknown = append(unknown, cel.AttributePattern("now"))
	}
	if x == nil {
		return p, append(unknown, cel.AttributePattern("patch"))
	}
	p = Patch{
		ID: string(x.ID), Source: x.ID.Source(), Title: x.Title, Classification: x.Classification.String(), Severity: int(x.Severity),
		Exploited: x.Exploited() == patch.Yes, Contested: x.Contested, Withdrawn: !x.Withdrawn.IsZero(), EPSS: x.EPSS(), CVSS: x.Base(),
		CVEs: x.CVEs(), Reboot: x.Reboot.String(), Reversal: x.Reversal.String(), Size: x.Size, Released: x.Released, Modified: x.Modified,
	}
	for i := range x.Packages {
		if name := x.Packages[i].Name; name != "" && !slices.Contains(p.Packages, name) {
			p.Packages = append(p.Packages, name)
		}
	}
	for _, f := range []struct {
		name  string
		known bool
	}{
		{"id", p.ID != ""}, {"source", p.Source != ""}, {"title", p.Title != ""}, {"classification", x.Classification != patch.ClassUnknown},
		{"severity", p.Severity != 0}, {"exploited", x.Exploited() != patch.Unknown}, {"epss", p.EPSS != 0}, {"cvss", p.CVSS != 0},
		{"cves", len(p.CVEs) > 0}, {"packages", len(p.Packages) > 0}, {"reboot", x.Reboot != patch.RebootUnknown},
		{"reversal", x.Reversal != patch.ReversalUnknown}, {"size", p.Size != 0}, {"released", !p.Released.IsZero()}, {"modified", !p.Modified.IsZero()},
	} {
		if !f.known {
			unknown = append(unknown, cel.AttributePattern("patch").QualString(f.name))
		}
	}
	return p, unknown
}

func newDevice(d *inventory.Device) Device {
	if d == nil {
		return Device{}
	}
	return Device{
		ID: string(d.ID), Name: cmp.Or(d.Name, string(d.ID)), Tenant: string(d.Tenant), OS: d.Platform.OS, Version: d.Platform.Version,
		Arch: d.Platform.Arch, Zone: d.Zone, Exposure: d.Exposure.String(), PendingReboot: d.PendingReboot == patch.Yes,
		LastSeen: d.LastSeen, Labels: d.Labels,
	}
}

// uses are the facts about a device that an expression asks for.
type uses struct {
	fields []string // sorted; all of them if the device is used as a whole
	labels []string // sorted: the keys that are named
	whole  bool     // labels are used in other ways too
}

// deviceFields returns the names of the fields of a [Device], and what a device has there as text, empty if it is unknown.
func deviceFields() map[string]func(d *inventory.Device) string {
	text := func(of func(d *inventory.Device) string) func(d *inventory.Device) string { return of }
	return map[string]func(d *inventory.Device) string{
		"id":      text(func(d *inventory.Device) string { return string(d.ID) }),
		"name":    text(func(d *inventory.Device) string { return cmp.Or(d.Name, string(d.ID)) }),
		"tenant":  text(func(d *inventory.Device) string { return "/" + string(d.Tenant) }), // always known
		"os":      text(func(d *inventory.Device) string { return d.Platform.OS }),
		"version": text(func(d *inventory.Device) string { return d.Platform.Version }),
		"arch":    text(func(d *inventory.Device) string { return d.Platform.Arch }),
		"zone":    text(func(d *inventory.Device) string { return d.Zone }),
		"exposure": func(d *inventory.Device) string {
			if d.Exposure == inventory.ExposureUnknown {
				return ""
			}
			return d.Exposure.String()
		},
		"pendingReboot": func(d *inventory.Device) string {
			if d.PendingReboot == patch.Unknown {
				return ""
			}
			return d.PendingReboot.String()
		},
		"lastSeen": func(d *inventory.Device) string {
			if d.LastSeen.IsZero() {
				return ""
			}
			return d.LastSeen.UTC().Format(time.RFC3339Nano)
		},
	}
}

// usesOf looks for the facts about a device in an expression.
func usesOf(a *ast.AST) (u uses) {
	fields := make(map[string]bool)
	labels := make(map[string]bool)
	all := func() {
		u.whole = true
		for name := range deviceFields() {
			fields[name] = true
		}
	}
	ast.MatchDescendants(ast.NavigateAST(a), func(e ast.NavigableExpr) bool {
		if e.Kind() != ast.IdentKind || e.AsIdent() != "device" {
			return false
		}
		selected, ok := e.Parent()
		if !ok || selected.Kind() != ast.SelectKind {
			all()
			return false
		}
		name := selected.AsSelect().FieldName()
		if name != "labels" {
			fields[name] = true
			return false
		}
		if key, ok := labelKey(selected); ok {
			labels[key] = true
		} else {
			u.whole = true
		}
		return false
	})
	u.fields, u.labels = slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(labels))
	return u
}

// labelKey returns the key of the one label that is taken of labels, and whether that is all that is done with them.
func labelKey(labels ast.NavigableExpr) (string, bool) {
	taken, ok := labels.Parent()
	switch {
	case !ok:
		return "", false
	case taken.Kind() == ast.SelectKind:
		return taken.AsSelect().FieldName(), true
	case taken.Kind() == ast.CallKind && taken.AsCall().FunctionName() == "_[_]" && len(taken.AsCall().Args()) == 2:
		if key := taken.AsCall().Args()[1]; key.Kind() == ast.LiteralKind {
			text, ok := key.AsLiteral().(types.String)
			return string(text), ok
		}
	}
	return "", false
}

// unknown returns the facts that are used and not known of d.
func (u *uses) unknown(d *inventory.Device) (all []*cel.AttributePatternType) {
	if d == nil {
		return []*cel.AttributePatternType{cel.AttributePattern("device")}
	}
	of := deviceFields()
	for _, name := range u.fields {
		if of[name](d) == "" {
			all = append(all, cel.AttributePattern("device").QualString(name))
		}
	}
	for _, key := range u.labels {
		if _, ok := d.Labels[key]; !ok {
			all = append(all, cel.AttributePattern("device").QualString("labels").QualString(key))
		}
	}
	return all
}

// appendSignature appends all that is used of d. Texts have their lengths before them, so that no two ways to divide the bytes
// exist.
func (u *uses) appendSignature(b []byte, d *inventory.Device) []byte {
	if d == nil {
		return b
	}
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s))+1)
		b = append(b, s...)
	}
	b = append(b, 1)
	of := deviceFields()
	for _, name := range u.fields {
		text(of[name](d))
	}
	for _, key := range u.labels {
		if v, ok := d.Labels[key]; ok {
			text(v)
		} else {
			b = append(b, 0)
		}
	}
	if u.whole {
		for _, key := range slices.Sorted(maps.Keys(d.Labels)) {
			text(key)
			text(d.Labels[key])
		}
	}
	return b
}
