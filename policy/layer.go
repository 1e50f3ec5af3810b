package policy

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
)

// A Layer is what one level of the path from a vendor to a device says of the policy there. It states some fields and leaves
// the others to the levels above. [Resolve] makes one policy of the layers of a device.
//
// A layer sets a field by giving it a value. A value that is zero is set by naming the field in Zero; a document may write
// the zero value instead ("maxActive: 0", "mode: never"), which [DecodeLayer] puts into Zero. Fields are named by their paths
// in a policy: "maxActive", "retry.attempts". Need, rings, windows, covers and the escalation are set as a whole.
//
// A layer is about the devices of its tenant and of all tenants below that, and never about others. The layers of an outer
// tenant are above those of an inner one, and all of them are above groups, which are above single devices.
type Layer struct {
	Name     string             `json:"name" yaml:"name"`                             // without a slash; unique among the layers of a device
	Tenant   inventory.Tenant   `json:"tenant" yaml:"tenant"`                         // "" is the vendor: everybody
	Level    Level              `json:"level,omitempty" yaml:"level,omitempty"`       // tenant, group or device
	Devices  inventory.Selector `json:"devices,omitzero" yaml:"devices,omitempty"`    // of a group or device: which
	Priority int                `json:"priority,omitempty" yaml:"priority,omitempty"` // among layers of one level, the greater wins
	Policy   Policy             `json:"policy,omitzero" yaml:"policy,omitempty"`      // the fields that are set; its name may be left out
	Zero     []string           `json:"zero,omitempty" yaml:"zero,omitempty"`         // fields of Policy, or "combine", that are set to their zero value
	Combine  Combine            `json:"combine,omitempty" yaml:"combine,omitempty"`   // how the rules of the layers are put together
	Locks    []Lock             `json:"locks,omitempty" yaml:"locks,omitempty"`       // what the layers below may not do
}

// Level says which part of the path a layer stands in.
type Level uint8

const (
	LevelTenant Level = iota // all devices of a tenant: a vendor, partner, customer or site
	LevelGroup               // devices of a tenant that have something in common
	LevelDevice              // a single device
)

func levelNames() enum.Names { return enum.Names{"tenant", "group", "device"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v Level) String() string { return levelNames().String("level", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v Level) MarshalText() ([]byte, error) { return levelNames().Text("level", int(v)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *Level) UnmarshalText(text []byte) error {
	n, err := levelNames().Parse("level", text)
	*v = Level(n)
	return err
}

// A Lock keeps the layers below from changing a field. What counts is the value that the field has where the lock stands,
// be it set there or above, or nowhere: then the default is locked. Layers of the same level are not below each other.
type Lock struct {
	Field string   `json:"field" yaml:"field"`                   // its path; "retry" stands for all that begin with "retry."
	Mode  LockMode `json:"mode,omitempty" yaml:"mode,omitempty"` // fixed or tighten
}

// LockMode says what a lock lets through.
type LockMode uint8

const (
	LockFixed   LockMode = iota // nothing
	LockTighten                 // what is at least as tight; only for fields that have such an order
)

func lockModeNames() enum.Names { return enum.Names{"fixed", "tighten"} }

// String returns the lower-case name, as used in JSON and YAML.
func (v LockMode) String() string { return lockModeNames().String("lock", int(v)) }

// MarshalText implements [encoding.TextMarshaler].
func (v LockMode) MarshalText() ([]byte, error) { return lockModeNames().Text("lock", int(v)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (v *LockMode) UnmarshalText(text []byte) error {
	n, err := lockModeNames().Parse("lock", text)
	*v = LockMode(n)
	return err
}

// Applies says whether l is about d. It is never about a device of a tenant that is not its own or below that.
func (l *Layer) Applies(d *inventory.Device) bool {
	return d != nil && l.Tenant.Contains(d.Tenant) && (l.Level == LevelTenant || l.Devices.Matches(d))
}

// Sets says whether l sets the field of this path.
func (l *Layer) Sets(field string) bool {
	v := l.field(field)
	return v.IsValid() && !v.IsZero() && (v.Kind() != reflect.Slice || v.Len() > 0) || slices.Contains(l.Zero, field)
}

// field returns the value that a field has in l; the zero Value if there is no such field.
func (l *Layer) field(path string) reflect.Value {
	if path == "combine" {
		return reflect.ValueOf(&l.Combine).Elem()
	}
	return fieldOf(&l.Policy, path)
}

func fieldOf(p *Policy, path string) reflect.Value {
	v := reflect.ValueOf(p).Elem()
	for name := range strings.SplitSeq(path, ".") {
		if v.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		i := 0
		for ; i < v.NumField(); i++ {
			if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ","); tag == name {
				break
			}
		}
		if i == v.NumField() {
			return reflect.Value{}
		}
		v = v.Field(i)
	}
	return v
}

// Validate reports everything that is wrong with l, each fault as a [FieldError] that names the field. Faults that depend on
// what other layers set are found by [Resolve].
func (l *Layer) Validate() error { return gather(l.faults()) }

func (l *Layer) faults() []*FieldError {
	var c checker
	c.name("name", l.Name)
	if strings.Contains(l.Name, "/") {
		c.fault("name", "%q has a slash, which parts it from the names of its rules", clip(l.Name))
	}
	if l.Tenant != "" {
		c.text("tenant", string(l.Tenant))
		for part := range strings.SplitSeq(string(l.Tenant), "/") {
			if part == "" {
				c.fault("tenant", "%q is no path: want names with single slashes between them", clip(string(l.Tenant)))
				break
			}
		}
	}
	c.enum("level", l.Level)
	switch {
	case l.Level == LevelTenant && !l.Devices.IsZero():
		c.fault("devices", "only the layer of a group or device has them")
	case l.Level != LevelTenant && l.Devices.IsZero():
		c.fault("devices", "missing: it would match nobody")
	}
	for _, f := range l.Policy.faults() {
		if f.Path == "name" && l.Policy.Name == "" ||
			f.Path == "retry.backoff" && l.Policy.Retry.Backoff >= 0 ||
			f.Path == "fit.reboot" && l.Policy.Fit.Reboot >= 0 ||
			f.Path == "reboot.windows" && l.Policy.Reboot.Mode == RebootNever ||
			f.Path == "reboot.deferrals" && l.Policy.Reboot.Deferrals.Max > 0 ||
			f.Path == "reboot.quiet" && l.Policy.Reboot.Mode == RebootNever ||
			f.Path == "reboot.before" && l.Policy.Reboot.Before == BeforeIfPending ||
			f.Path == "drain.timeout" && l.Policy.Drain.Timeout >= 0 ||
			f.Path == "backup.maxAge" && l.Policy.Backup.Need == BackupNone && l.Policy.Backup.MaxAge >= 0 {
			continue // what makes them right may stand in another layer
		}
		f.Path = strings.TrimSuffix("policy."+f.Path, ".")
		c.faults = append(c.faults, f)
	}
	l.zeros(&c)
	c.enum("combine", l.Combine)
	l.locks(&c)
	return c.faults
}

func (l *Layer) zeros(c *checker) {
	for i, path := range l.Zero {
		at := index("zero", i)
		s, ok := settingOf(path)
		switch {
		case !ok || path == "name":
			c.fault(at, "%q is no field that can be set to nothing", clip(path))
		case s.adds:
			c.fault(at, "%s adds to what layers above list, and takes nothing away", path)
		case !l.field(path).IsZero():
			c.fault(at, "%s has a value", path)
		case slices.Contains(l.Zero[:i], path):
			c.fault(at, "%s is named twice", path)
		}
	}
}

func (l *Layer) locks(c *checker) {
	for i, lock := range l.Locks {
		at := index("locks", i)
		c.enum(join(at, "mode"), lock.Mode)
		some := false
		for _, s := range settings() {
			if !lock.covers(s.path) {
				continue
			}
			some = true
			switch {
			case s.path == "holds":
				c.fault(join(at, "field"), "holds of every layer always count")
			case lock.Mode == LockTighten && s.order == nil && s.path != "rules":
				c.fault(join(at, "mode"), "there is no order of tighter and looser for %s: want fixed", s.path)
			}
		}
		if !some {
			c.fault(join(at, "field"), "%q is no field of a policy", clip(lock.Field))
		}
		if slices.ContainsFunc(l.Locks[:i], func(o Lock) bool { return o.Field == lock.Field }) {
			c.fault(join(at, "field"), "%s is locked already", clip(lock.Field))
		}
	}
}

// covers says whether the lock is about the field path.
func (k Lock) covers(path string) bool {
	return k.Field == path || strings.HasPrefix(path, k.Field+".")
}

// depth returns how many names the path of the tenant has.
func (l *Layer) depth() int {
	if l.Tenant == "" {
		return 0
	}
	return 1 + strings.Count(string(l.Tenant), "/")
}

// above compares the levels of two layers: less than 0 if l stands above o, 0 if neither does.
func (l *Layer) above(o *Layer) int {
	return cmp.Or(cmp.Compare(l.Level, o.Level), cmp.Compare(l.depth(), o.depth()))
}

// compare orders layers from far to near. Of one level, what has a greater priority is nearer; names break the tie.
func (l *Layer) compare(o *Layer) int {
	return cmp.Or(l.above(o), cmp.Compare(l.Priority, o.Priority), strings.Compare(o.Name, l.Name))
}

// String returns what l is about, on one line: `berlin (tenant acme/berlin)`.
func (l Layer) String() string {
	where := "everybody"
	if l.Tenant != "" {
		where = string(l.Tenant)
	}
	if l.Level == LevelTenant {
		return fmt.Sprintf("%s (tenant %s)", l.Name, where)
	}
	return fmt.Sprintf("%s (%s %s of %s)", l.Name, l.Level, l.Devices, where)
}
