package policy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/inventory"
)

// DecodeLayer reads one layer from a YAML or JSON document of at most 1 MiB, as strictly as [Decode] reads a policy. A field
// of the policy that is written with its zero value comes out in Zero. With an error comes the zero Layer.
func DecodeLayer(r io.Reader, name string) (Layer, error) {
	root, err := readRoot(r, name)
	if err != nil {
		return Layer{}, err
	}
	l, faults, _ := readLayer(root)
	if len(faults) > 0 {
		return Layer{}, gather(inFile(faults, name))
	}
	return l, nil
}

// ReadLayer reads a layer as [DecodeLayer] does, but from a document with faults it keeps what is safe to keep. All faults are
// in refused, with their places:
//
//   - A rule that approves or requires approval and has a fault is left out.
//   - A rule that rejects, holds or defers, or whose verdict cannot be read, keeps patches away all the same: without those
//     conditions that have a fault, so that it is about more than it says. It holds instead where it cannot do what it says.
//   - Any other fault, of the filter that says which devices the layer is about or of any field: nobody knows what was meant, so
//     the devices are skipped. The layer becomes one rule that holds every patch on all devices that it may be about.
//   - More than a hundred faults are an error.
//
// What is returned is always valid. An error means that the name or the tenant cannot be read, or nothing at all; then it
// is not even known whom the layer is about, and whoever it may be about must be left alone.
func ReadLayer(r io.Reader, name string) (layer Layer, refused []error, err error) {
	root, err := readRoot(r, name)
	if err != nil {
		return Layer{}, nil, err
	}
	l, faults, full := readLayer(root)
	if len(faults) == 0 {
		return l, nil, nil
	}
	rules, filter := true, true
	for _, f := range inFile(faults, name) {
		refused = append(refused, f)
		if full || f.Path == "" || f.Path == "name" || f.Path == "tenant" {
			return Layer{}, nil, gather(faults)
		}
		rules = rules && within(f.Path, "policy.rules") && f.Path != "policy.rules"
		filter = filter && !within(f.Path, "devices") && !within(f.Path, "level")
	}
	if rules {
		if mended, ok := mend(root); ok {
			return mended, refused, nil
		}
	}
	safe := l.skipped(filter)
	if safe.Validate() != nil { // what is wrong with its filter stands behind another fault
		safe = l.skipped(false)
	}
	if safe.Validate() != nil { // the same for its name or tenant
		return Layer{}, nil, gather(faults)
	}
	return safe, refused, nil
}

// skipped returns the layer that stands for l if it cannot be read. Filter says whether it is known which devices l is about.
func (l *Layer) skipped(filter bool) Layer {
	safe := Layer{Name: l.Name, Tenant: l.Tenant}
	if filter {
		safe.Level, safe.Devices = l.Level, l.Devices
	}
	safe.Policy.Rules = []Rule{{Name: "unreadable layer", Match: Match{All: true}, Verdict: Hold,
		Reason: fmt.Sprintf("the policy layer %s has faults: its devices are skipped until it is mended", l.Name)}}
	return safe
}

func readRoot(r io.Reader, name string) (*yaml.Node, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, &FieldError{File: name, Err: fmt.Errorf("cannot be read: %w", err)}
	}
	if len(data) > maxDocument {
		return nil, &FieldError{File: name, Err: fmt.Errorf("the document is larger than %d bytes", maxDocument)}
	}
	root, fault := parse(data)
	if fault != nil {
		fault.File = name
		return nil, fault
	}
	return root, nil
}

func inFile(faults []*FieldError, name string) []*FieldError {
	for _, f := range faults {
		f.File = name
	}
	return faults
}

// readLayer reads a layer, and says what is wrong with it, in the order of the document. Full says that it has not read on to
// the end.
func readLayer(root *yaml.Node) (l Layer, faults []*FieldError, full bool) {
	reader := newNodeReader()
	reader.partial = "policy"
	reader.read(root, &l)
	for _, s := range settings() {
		path := "policy." + s.path
		if s.path == "combine" {
			path = s.path
		}
		if s.path != "name" && !s.adds && reader.nodes[path] != nil && l.field(s.path).IsZero() && !slices.Contains(l.Zero, s.path) {
			l.Zero = append(l.Zero, s.path)
		}
	}
	faults = reader.faults
	if !reader.full() {
		faults = append(faults, reader.place(l.faults())...)
	}
	slices.SortStableFunc(faults, func(a, b *FieldError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults:maxFaults], &FieldError{Path: "policy", Err: errors.New("there are more faults than these")})
	}
	return l, faults, reader.full()
}

// mend reads a layer whose rules have faults, and says whether that is all that it has.
func mend(root *yaml.Node) (Layer, bool) {
	list := child(child(root, "policy"), "rules")
	if list == nil || list.Kind != yaml.SequenceNode {
		return Layer{}, false
	}
	var rules []Rule
	used := make(map[string]bool)
	budget := maxNodes
	for i, item := range list.Content {
		r, ok := mendRule(item, i, used, &budget)
		if budget < 0 {
			return Layer{}, false
		}
		if ok {
			rules = append(rules, r)
		}
	}
	// The rest must be sound without its rules.
	rest := without(root, "policy", "rules")
	l, faults, _ := readLayer(rest)
	if len(faults) > 0 {
		return Layer{}, false
	}
	l.Policy.Rules = rules
	return l, l.Validate() == nil
}

// mendRule reads one rule, and returns what is kept of it.
func mendRule(n *yaml.Node, i int, used map[string]bool, budget *int) (Rule, bool) {
	var r Rule
	reader := newNodeReader()
	reader.budget = *budget
	reader.read(n, &r)
	*budget = reader.budget
	faults := reader.faults
	if !reader.full() {
		var c checker
		c.rule("", &r)
		if used[r.Name] {
			c.fault("name", "is used already")
		}
		faults = append(faults, reader.place(c.faults)...)
	}
	if len(faults) > 0 {
		verdict := slices.ContainsFunc(faults, func(f *FieldError) bool { return within(f.Path, "verdict") || f.Path == "" && r.Verdict == NoDecision })
		if !verdict && (r.Verdict == Approve || r.Verdict == RequireApproval) {
			return Rule{}, false
		}
		r = r.blocking(faults, verdict)
	}
	var c checker
	if c.name("name", r.Name); len(c.faults) > 0 || used[r.Name] {
		r.Name = fmt.Sprintf("unreadable rule %d", i+1)
	}
	for used[r.Name] {
		r.Name += "'"
	}
	used[r.Name] = true
	return r, true
}

// blocking returns the rule that keeps away what r was meant to keep away, and more.
func (r *Rule) blocking(faults []*FieldError, unsure bool) Rule {
	safe := Rule{Name: r.Name, Match: r.Match, Verdict: r.Verdict, For: r.For, From: r.From, Reason: r.Reason}
	m := &safe.Match
	for _, f := range faults {
		switch {
		case within(f.Path, "match.ids"):
			m.IDs = nil
		case within(f.Path, "match.classifications"):
			m.Classifications = nil
		case within(f.Path, "match.minSeverity"):
			m.MinSeverity = 0
		case within(f.Path, "match.packages"):
			m.Packages = nil
		case within(f.Path, "match.exploited"):
			m.Exploited = false
		case within(f.Path, "match.devices"):
			m.Devices = inventory.Selector{}
		case within(f.Path, "match.minAge"):
			m.MinAge = 0
		case within(f.Path, "match.where"):
			m.Where = Where{}
		case within(f.Path, "for"), within(f.Path, "from"):
			unsure = true
		case within(f.Path, "reason"):
			safe.Reason = ""
		}
	}
	if m.isZero() {
		m.All = true
	}
	if unsure || safe.Verdict == NoDecision || safe.Verdict > Approve || safe.Verdict == Defer && safe.For <= 0 {
		safe.Verdict = Hold
	}
	if safe.Verdict != Defer {
		safe.For, safe.From = 0, SinceReleased
	}
	return safe
}

// child returns the value of a field of n; nil if there is none.
func child(n *yaml.Node, name string) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			if v := n.Content[i+1]; v.Kind == yaml.AliasNode {
				return v.Alias
			}
			return n.Content[i+1]
		}
	}
	return nil
}

// without returns n, one of whose fields has lost the field name. Neither it nor what it contains changes.
func without(n *yaml.Node, path ...string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	c := *n
	c.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Value == path[0] {
			if len(path) == 1 {
				continue
			}
			value = without(value, path[1:]...)
		}
		c.Content = append(c.Content, key, value)
	}
	return &c
}
