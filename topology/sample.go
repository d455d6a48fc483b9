package topology

import (
	"cmp"
	"slices"
	"strings"
)

// Sample picks families to try first: whole families of at most n devices together, spread over the sets of products
// that families are made of and, within each, over family sizes. It returns their indexes in
// ascending order, and the same ones whenever it is asked.
//
// Every set of products is represented, by its smallest family, as long as n allows; the sets take
// turns after that. If even the smallest family has more than n devices, the sample is that one family.
// With n of 0 or less, or without families, it is empty.
func Sample(families []Family, n int) []int {
	if n <= 0 {
		return nil
	}
	groups := groupByProducts(families)
	var picked []int
	pick := func(i int) {
		picked = append(picked, i)
		n -= families[i].Len()
	}
	for more := true; more; {
		more = false
		for _, g := range groups {
			if i, ok := g.next(families, n); ok {
				pick(i)
				more = true
			}
		}
	}
	if len(picked) == 0 && len(groups) > 0 {
		pick(groups[0].bySize[0])
	}
	slices.Sort(picked)
	return picked
}

// A group holds the families of one set of products.
type group struct {
	bySize []int    // indexes, smallest family first
	todo   [][2]int // ranges of bySize, both ends included, whose middles come next
}

// groupByProducts returns the groups in the order of their smallest families: small ones leave most room for others.
func groupByProducts(families []Family) []*group {
	byKey := map[string]*group{}
	var groups []*group
	for i, f := range families {
		if f.Len() == 0 {
			continue
		}
		key := strings.Join(f.products(), "/")
		g := byKey[key]
		if g == nil {
			g = &group{}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.bySize = append(g.bySize, i)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.bySize, func(a, b int) int { return cmp.Compare(families[a].Len(), families[b].Len()) })
		g.plan()
	}
	slices.SortStableFunc(groups, func(a, b *group) int {
		return cmp.Compare(families[a.bySize[0]].Len(), families[b.bySize[0]].Len())
	})
	return groups
}

// plan sets the order in which families are visited: the smallest, the largest, the one in the middle,
// those in the middle of the halves and so on.
func (g *group) plan() {
	last := len(g.bySize) - 1
	g.push(0, 0)
	g.push(max(1, last), last)
	g.push(1, last-1)
}

func (g *group) push(low, high int) {
	if low <= high {
		g.todo = append(g.todo, [2]int{low, high})
	}
}

// next returns the group's next family of at most n devices, and false when there is none left.
func (g *group) next(families []Family, n int) (int, bool) {
	if families[g.bySize[0]].Len() > n {
		return 0, false // not even the smallest
	}
	for len(g.todo) > 0 {
		low, high := g.todo[0][0], g.todo[0][1]
		g.todo = g.todo[1:]
		middle := low + (high-low)/2
		g.push(low, middle-1)
		g.push(middle+1, high)
		if i := g.bySize[middle]; families[i].Len() <= n {
			return i, true
		}
	}
	return 0, false
}
