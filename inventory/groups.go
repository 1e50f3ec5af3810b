package inventory

import (
	"slices"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

// word returns one copy of a text, the same for all that is written alike.
func (f *Fleet) word(text string) string {
	if w, known := f.words[text]; known || text == "" {
		return w
	}
	w := strings.Clone(text)
	f.words[w] = w
	return w
}

func (f *Fleet) version(v version.Version) version.Version {
	return version.Version{Scheme: version.Scheme(f.word(string(v.Scheme))), Text: f.word(v.Text)}
}

func (f *Fleet) platformOf(d *Device) patch.Platform {
	p := d.Platform
	return patch.Platform{OS: f.word(p.OS), Version: f.word(p.Version), Arch: f.word(p.Arch)}
}

// platform returns the number of a platform.
func (f *Fleet) platform(p patch.Platform) int32 {
	n, known := f.platforms[p]
	if !known {
		n = int32(len(f.systems))
		f.platforms[p] = n
		f.systems = append(f.systems, p)
	}
	return n
}

// number returns the number of a patch.
func (f *Fleet) number(id patch.ID) int32 {
	n, known := f.known[id]
	if !known {
		id = patch.ID(strings.Clone(string(id))) // and not what the catalog keeps it in
		n = int32(len(f.patches))
		f.patches = append(f.patches, id)
		f.known[id] = n
	}
	return n
}

// groupOf returns the number of what is installed of one package, looking it up in the catalog if it is new.
func (f *Fleet) groupOf(g *installed, platform int32) int32 {
	k := strconv.AppendInt(f.key[:0], int64(platform), 36)
	for i := g.from; i < g.to; i++ {
		s := g.at(i)
		for _, text := range [...]string{
			s.Manager, s.Ecosystem, s.Name, s.Source, s.Arch, s.Module, string(s.Version.Scheme), s.Version.Text,
			string(s.SourceVersion.Scheme), s.SourceVersion.Text,
		} {
			// With its length a text cannot run into the next one, whatever it holds.
			k = append(strconv.AppendInt(append(k, ' '), int64(len(text)), 36), ' ')
			k = append(k, text...)
		}
		k = strconv.AppendBool(strconv.AppendBool(k, s.Held), s.Running)
	}
	f.key = k
	if n, known := f.numbers[string(k)]; known {
		return n
	}
	n := int32(len(f.groups))
	if last := len(f.unused); last > 0 {
		n = f.unused[last-1]
		f.unused = f.unused[:last-1]
	} else {
		f.groups = append(f.groups, group{})
	}
	key := string(k)
	f.numbers[key] = n
	made := group{platform: platform, key: key, software: make([]Software, 0, g.to-g.from)}
	for i := g.from; i < g.to; i++ {
		s := *g.at(i)
		s.Manager, s.Ecosystem, s.Name, s.Source = f.word(s.Manager), f.word(s.Ecosystem), f.word(s.Name), f.word(s.Source)
		s.Arch, s.Module = f.word(s.Arch), f.word(s.Module)
		s.Version, s.SourceVersion = f.version(s.Version), f.version(s.SourceVersion)
		made.software = append(made.software, s)
	}
	for _, k := range made.names() {
		f.named[k] = include(f.named[k], n)
	}
	f.groups[n] = made
	f.evaluate(&f.groups[n])
	return n
}

// names returns what entries that are about g are called, each once.
func (g *group) names() []name {
	first := &g.software[0]
	names := []name{{ecosystem: first.Ecosystem, binary: first.Name}}
	for i := range g.software {
		k := name{ecosystem: first.Ecosystem, source: g.software[i].sourceName()}
		if !slices.Contains(names, k) {
			names = append(names, k)
		}
	}
	return names
}

// evaluate holds g against the catalog.
func (f *Fleet) evaluate(g *group) {
	a := assessor{catalog: f.catalog, device: &Device{Platform: f.systems[g.platform]}}
	all := newInstalled(g.software)
	all.next()
	a.compare(&all, keys{})
	g.missing = nil
	for i := range a.hits {
		g.missing = include(g.missing, f.number(a.hits[i].entry.Patch.ID))
	}
}

// move notes that device i has other groups than before; both lists ascend.
func (f *Fleet) move(i int32, before, after []int32) {
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0] < after[0]:
			f.drop(before[0], i)
			before = before[1:]
		case len(before) == 0 || after[0] < before[0]:
			f.groups[after[0]].devices = include(f.groups[after[0]].devices, i)
			after = after[1:]
		default:
			before, after = before[1:], after[1:]
		}
	}
}

// drop takes device i out of a group, and forgets a group that nobody is in.
func (f *Fleet) drop(n, i int32) {
	g := &f.groups[n]
	if g.devices = exclude(g.devices, i); len(g.devices) > 0 {
		return
	}
	delete(f.numbers, g.key)
	for _, k := range g.names() {
		if f.named[k] = exclude(f.named[k], n); len(f.named[k]) == 0 {
			delete(f.named, k)
		}
	}
	*g = group{}
	f.unused = append(f.unused, n)
}

// unsay forgets what device i said that it misses.
func (f *Fleet) unsay(i int32) {
	for _, id := range f.devices[i].device.Missing {
		if f.said[id] = exclude(f.said[id], i); len(f.said[id]) == 0 {
			delete(f.said, id)
		}
	}
}

// include puts v into an ascending list, once. New ones are mostly the last.
func include(list []int32, v int32) []int32 {
	if n := len(list); n == 0 || list[n-1] < v {
		return append(list, v)
	}
	i, found := slices.BinarySearch(list, v)
	if found {
		return list
	}
	return slices.Insert(list, i, v)
}

// exclude takes v out of an ascending list.
func exclude(list []int32, v int32) []int32 {
	if i, found := slices.BinarySearch(list, v); found {
		return slices.Delete(list, i, i+1)
	}
	return list
}
