package patch

import (
	"cmp"
	"iter"
	"slices"
)

// Superseded says whether a patch that stands replaces id, directly or through others. See [Catalog.Newest].
func (c *Catalog) Superseded(id ID) bool {
	n := c.node(id)
	return n >= 0 && c.chains.newest[n] >= 0
}

// Newest returns the newest patch that replaces id, directly or through others, and id itself if none does. It is never
// withdrawn, unless it is id, and nothing replaces it in its turn. Where publishers let several patches replace one, the
// newest is the one released last, then the one modified last, then the one with the greatest ID.
//
// A chain goes on through withdrawn patches, but a withdrawn patch replaces nothing itself: what it superseded stands again.
// It also starts at an ID that is only named as superseded and is no patch of the catalog. Patches that supersede
// each other in a cycle, as published data has them, say nothing about each other: links within a cycle are ignored.
func (c *Catalog) Newest(id ID) ID {
	if n := c.node(id); n >= 0 && c.chains.newest[n] >= 0 {
		return c.patches[c.chains.newest[n]].ID
	}
	return id
}

// Replacements yields every patch that stands and replaces id, directly or through others, each once: nearest first,
// then in the order of the IDs. What is said of chains and cycles at [Catalog.Newest] holds here too.
func (c *Catalog) Replacements(id ID) iter.Seq[*Patch] {
	return func(yield func(*Patch) bool) {
		n := c.node(id)
		if n < 0 || len(c.chains.above(n)) == 0 {
			return
		}
		seen := map[int32]bool{}
		for level := []int32{n}; len(level) > 0; {
			var next []int32
			for _, v := range level {
				for _, u := range c.chains.above(v) {
					if !seen[u] {
						seen[u] = true
						next = append(next, u)
					}
				}
			}
			slices.Sort(next)
			for _, u := range next {
				if p := c.patches[u]; p.Withdrawn.IsZero() && !yield(p) {
					return
				}
			}
			level = next
		}
	}
}

// node returns the number of id in the graph of supersedence, -1 if it has none.
func (c *Catalog) node(id ID) int32 {
	if len(c.chains.newest) == 0 {
		return -1
	}
	if i, found := c.find(id); found {
		return int32(i)
	}
	if i, found := slices.BinarySearch(c.chains.named, id); found {
		return int32(len(c.patches) + i)
	}
	return -1
}

// supersedence is the graph of what supersedes what. Its nodes are the patches by index and after them the IDs that
// are named as superseded without being a patch. It is empty if nobody supersedes anything.
type supersedence struct {
	named   []ID    // sorted
	newest  []int32 // of each node: the patch that replaces it in the end, -1 if none
	parents []int32 // parents[first[n]:first[n+1]] supersede node n directly; links within cycles are left out
	first   []int32
}

func (s *supersedence) above(n int32) []int32 { return s.parents[s.first[n]:s.first[n+1]] }

func newSupersedence(patches []*Patch) supersedence {
	links := 0
	for i := range patches {
		links += len(patches[i].Supersedes)
	}
	if links == 0 {
		return supersedence{}
	}
	var s supersedence
	index := make(map[ID]int32, len(patches))
	for i := range patches {
		index[patches[i].ID] = int32(i)
		for _, id := range patches[i].Aliases {
			index[id] = int32(i)
		}
	}
	for i := range patches {
		for _, id := range patches[i].Supersedes {
			if _, found := index[id]; !found {
				index[id] = -1
				s.named = append(s.named, id)
			}
		}
	}
	slices.Sort(s.named)
	for i, id := range s.named {
		index[id] = int32(len(patches) + i)
	}
	nodes := len(patches) + len(s.named)

	below := make([][]int32, nodes)
	room := make([]int32, 0, links)
	for i := range patches {
		from := len(room)
		for _, id := range patches[i].Supersedes {
			room = append(room, index[id])
		}
		below[i] = room[from:len(room):len(room)]
	}
	component, order := components(below)

	s.first = make([]int32, nodes+1)
	for v := range below {
		for _, w := range below[v] {
			if component[v] != component[w] {
				s.first[w+1]++
			}
		}
	}
	for n := range nodes {
		s.first[n+1] += s.first[n]
	}
	s.parents = make([]int32, s.first[nodes])
	next := slices.Clone(s.first)
	for v := range below {
		for _, w := range below[v] {
			if component[v] != component[w] {
				s.parents[next[w]] = int32(v)
				next[w]++
			}
		}
	}

	// From the top of the graph down: when a node's turn comes, all that stand above it have had theirs.
	s.newest = make([]int32, nodes)
	for _, v := range slices.Backward(order) {
		best := int32(-1)
		for _, u := range s.above(v) {
			top := s.newest[u]
			if top < 0 && patches[u].Withdrawn.IsZero() {
				top = u
			}
			if top >= 0 && (best < 0 || compareAge(patches[top], patches[best]) > 0) {
				best = top
			}
		}
		s.newest[v] = best
	}
	return s
}

func compareAge(a, b *Patch) int {
	return cmp.Or(a.Released.Compare(b.Released), a.Modified.Compare(b.Modified), cmp.Compare(a.ID, b.ID))
}

// components finds the strongly connected components of a graph, by Tarjan's algorithm (SIAM Journal on Computing 1(2),
// 1972) with a stack of its own, so that a long chain costs no call depth. It returns the component of each node and the
// nodes in an order in which a node comes after all that it leads to outside its component.
func components(edges [][]int32) (component, order []int32) {
	type frame struct{ node, edge int32 }
	n := len(edges)
	component = make([]int32, n)
	order = make([]int32, 0, n)
	number := make([]int32, n) // 0: not visited
	low := make([]int32, n)
	open := make([]bool, n)
	var path []int32
	var calls []frame
	count, found := int32(0), int32(0)
	enter := func(v int32) {
		count++
		number[v], low[v], open[v] = count, count, true
		path = append(path, v)
		calls = append(calls, frame{node: v})
	}
	for root := range int32(n) {
		if number[root] != 0 {
			continue
		}
		enter(root)
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			v := f.node
			if int(f.edge) < len(edges[v]) {
				w := edges[v][f.edge]
				f.edge++
				if number[w] == 0 {
					enter(w)
				} else if open[w] {
					low[v] = min(low[v], number[w])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				up := calls[len(calls)-1].node
				low[up] = min(low[up], low[v])
			}
			if low[v] != number[v] {
				continue
			}
			for {
				w := path[len(path)-1]
				path = path[:len(path)-1]
				open[w] = false
				component[w] = found
				order = append(order, w)
				if w == v {
					break
				}
			}
			found++
		}
	}
	return component, order
}
