package csaf

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// An item is a product of the tree, with what its branches say of it.
type item struct {
	Product
	family  string // the nearest branch of the category product_name
	version string // of the category product_version
	span    string // of the category product_version_range
}

// products are all products of a document by ID.
type products struct {
	items     map[string]*item
	relations map[string]*relationship
}

// maxRelations is how many relationships may lie between a product and what is installed: a package of a module of a
// product has two.
const maxRelations = 8

func (r *reading) tree() {
	t := &r.document.Tree
	relations := t.relationships()
	r.products = products{items: make(map[string]*item), relations: make(map[string]*relationship, len(relations))}
	for i := range t.Names {
		r.product(&t.Names[i], item{})
	}
	for i := range t.Branches {
		r.branch(&t.Branches[i], item{})
	}
	for i := range relations {
		rel := &relations[i]
		id := rel.Product.ID
		if old := r.relations[id]; old != nil && old.Component == rel.Component && old.Platform == rel.Platform {
			continue
		}
		if r.items[id] != nil || r.relations[id] != nil {
			r.problem("", fmt.Errorf("product %.80q is defined twice", id))
			continue
		}
		r.relations[id] = rel
	}
}

func (r *reading) branch(b *branch, above item) {
	switch b.Category {
	case "product_name":
		above.family = b.Name
	case "product_version":
		above.version, above.span = b.Name, ""
	case "product_version_range":
		above.span, above.version = b.Name, ""
	}
	if b.Product != nil {
		r.product(b.Product, above)
	}
	for i := range b.Branches {
		r.branch(&b.Branches[i], above)
	}
}

func (r *reading) product(p *product, above item) {
	above.Product = Product{ID: p.ID, Name: p.Name, CPE: p.Helper.CPE, PURL: p.Helper.PURL}
	if above.PURL == "" && len(p.Helper.PURLs) > 0 {
		above.PURL = p.Helper.PURLs[0]
	}
	if old := r.items[p.ID]; old != nil {
		if old.Product != above.Product {
			r.problem("", fmt.Errorf("product %.80q is defined twice", p.ID))
		}
		return
	}
	r.items[p.ID] = &above
}

var errUndefined = errors.New("it is not defined")

// find returns what a product ID stands for: what is installed, on which platform, and the module stream between.
func (p *products) find(id string) (component, platform *item, module string, err error) {
	platform = new(item)
	for range maxRelations {
		if found := p.items[id]; found != nil {
			return found, platform, module, nil
		}
		rel := p.relations[id]
		if rel == nil {
			return nil, nil, "", errUndefined
		}
		on, stream, err := p.platform(rel.Platform)
		if err != nil {
			return nil, nil, "", err
		}
		module = cmp.Or(module, stream)
		if platform.ID == "" {
			platform = on
		}
		id = rel.Component
	}
	return nil, nil, "", errors.New("its relationships go on and on, or in a circle")
}

// platform follows what a component is a part of down to the product at the bottom.
func (p *products) platform(id string) (platform *item, module string, err error) {
	for range maxRelations {
		if found := p.items[id]; found != nil {
			return found, module, nil
		}
		rel := p.relations[id]
		if rel == nil {
			return nil, "", fmt.Errorf("it relates to %.80q: %w", id, errUndefined)
		}
		if part := p.items[rel.Component]; part != nil {
			module = cmp.Or(module, moduleOf(part))
		}
		id = rel.Platform
	}
	return nil, "", errors.New("its relationships go on and on, or in a circle")
}

// A found is a product, identified.
type found struct {
	identity
	ecosystem string
}

// identify says what a product ID stands for. versioned says that it must be one with a version. Nothing is found of a
// product that is left out: its ecosystem is "".
func (r *reading) identify(id string, versioned bool) (found, error) {
	component, platform, module, err := r.find(id)
	if err != nil {
		return found{}, err
	}
	f := found{ecosystem: r.config.Ecosystem(Place{Publisher: r.document.publisher, Platform: platform.Product, Component: component.Product})}
	if moduleOf(component) != "" {
		return found{}, nil // a module as such is nothing that is installed: its packages are listed
	}
	var known bool
	if component.PURL != "" {
		if f.identity, known = identityOfPURL(component.PURL); !known {
			return found{}, fmt.Errorf("purl %.120q cannot be read", component.PURL)
		}
	}
	switch vendor, _, _ := splitCPE(platform.CPE); {
	case known:
	case vendor == "redhat" || vendor == "suse" || vendor == "opensuse":
		f.identity = identityOfRPM(strings.TrimSpace(cmp.Or(component.Name, component.ID)), versioned)
	default:
		f.identity = identity{name: cmp.Or(component.family, component.Name, component.ID), version: component.version, scheme: Raw}
	}
	if f.version == "" {
		f.span = component.span
	}
	if stream, name, found := strings.Cut(component.Name, "/"); found && name != "" {
		module = cmp.Or(module, moduleStream(stream)) // "nodejs:16/nodejs"
		if f.name == component.Name {
			f.name = name
		}
	}
	f.module = cmp.Or(f.module, module)
	return f, nil
}
