package policy

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/inventory"
)

// ReadHolds reads a list of holds from a YAML or JSON document of at most 1 MiB: what a vendor publishes beside its
// policies. The name stands in errors: a file name, or "".
//
// Every hold is read for itself, as strictly as [Decode] reads. One that has a fault is refused, with what is wrong and where,
// and the others count. But a hold that has an ID and says that it fails closed is kept all the same: without whatever part
// of it has a fault, which makes it hold more than it says, and without end if its expiry is what cannot be read. Its
// faults are in refused too. What is returned is always fit for [Policy.Holds].
//
// An error means that the document is no list of holds, or cannot be read; then there are none.
func ReadHolds(r io.Reader, name string) (holds []KnownIssue, refused []error, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, nil, &FieldError{File: name, Err: fmt.Errorf("cannot be read: %w", err)}
	}
	if len(data) > maxDocument {
		return nil, nil, &FieldError{File: name, Err: fmt.Errorf("the document is larger than %d bytes", maxDocument)}
	}
	root, fault := parse(data)
	if fault == nil && (root.Kind != yaml.SequenceNode || root.ShortTag() != "!!seq") {
		fault = &FieldError{Line: root.Line, Column: root.Column, Err: fmt.Errorf("want a list of holds, not %s", describe(root, root.ShortTag()))}
	}
	if fault != nil {
		fault.File = name
		return nil, nil, fault
	}
	seen := make(map[string]int)
	budget := maxNodes
	for i, item := range root.Content {
		h, faults := readHold(item, &budget)
		if budget < 0 {
			return nil, nil, &FieldError{File: name, Line: item.Line, Column: item.Column, Path: index("", i),
				Err: errors.New("the document is too large once its aliases are spelled out")}
		}
		if first, ok := seen[h.ID]; ok && h.ID != "" {
			faults = append(faults, &FieldError{Line: item.Line, Column: item.Column, Path: "id",
				Err: fmt.Errorf("%q is the ID of [%d] already", clip(h.ID), first)})
		}
		if len(faults) > 0 {
			for _, f := range faults {
				f.File, f.Path = name, strings.TrimSuffix(index("", i)+"."+f.Path, ".")
			}
			refused = append(refused, gather(faults))
			if _, again := seen[h.ID]; again || !h.FailClosed || !h.widen(faults, index("", i)+".") {
				continue
			}
		}
		seen[h.ID] = i
		holds = append(holds, h)
	}
	return holds, refused, nil
}

// readHold reads one hold, and says what is wrong with it.
func readHold(n *yaml.Node, budget *int) (KnownIssue, []*FieldError) {
	reader := newNodeReader()
	reader.budget = *budget
	var h KnownIssue
	reader.read(n, &h)
	*budget = reader.budget
	faults := reader.faults
	if !reader.full() {
		var c checker
		c.holds([]KnownIssue{h})
		for _, f := range c.faults {
			f.Path = strings.TrimPrefix(f.Path, "holds[0].")
		}
		faults = append(faults, reader.place(c.faults)...)
	}
	slices.SortStableFunc(faults, func(a, b *FieldError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults:maxFaults], &FieldError{Err: errors.New("there are more faults than these")})
	}
	return h, faults
}

// widen takes out of h what has a fault, and says whether what is left is a hold: it has an ID, and is valid. Prefix is
// what the paths of faults begin with.
func (h *KnownIssue) widen(faults []*FieldError, prefix string) bool {
	for _, f := range faults {
		path := strings.TrimPrefix(f.Path, prefix)
		switch {
		case within(path, "match.ids"):
			h.Match.IDs = nil
		case within(path, "match.classifications"):
			h.Match.Classifications = nil
		case within(path, "match.minSeverity"):
			h.Match.MinSeverity = 0
		case within(path, "match.packages"):
			h.Match.Packages = nil
		case within(path, "match.exploited"):
			h.Match.Exploited = false
		case within(path, "match.devices"):
			h.Match.Devices = inventory.Selector{}
		case within(path, "match.minAge"):
			h.Match.MinAge = 0
		case within(path, "match.where"):
			h.Match.Where = Where{}
		case within(path, "message"):
			h.Message = ""
		case within(path, "url"):
			h.URL = ""
		case within(path, "fixedIn"):
			h.FixedIn = nil
		case within(path, "expires"):
			h.Expires = time.Time{}
		}
	}
	if h.Match.isZero() {
		h.Match.All = true
	}
	var c checker
	c.holds([]KnownIssue{*h})
	return len(c.faults) == 0
}
