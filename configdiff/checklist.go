package configdiff

import (
	"cmp"
	"io"
	"slices"

	"github.com/iotferry/iotferry/internal/page"
	"github.com/iotferry/iotferry/iot"
)

// A Checklist is what people have to make again at the target by hand. What an API shows is listed by name and ID; of what is read by nobody here, the kind is
// listed, to be looked up in the console.
type Checklist struct {
	Items []CheckItem `json:"items"`
}

// A CheckItem is one line of a checklist.
type CheckItem struct {
	What    string `json:"what"` // such as "scene" or "alerts"
	Name    string `json:"name,omitempty"`
	ID      string `json:"id,omitempty"` // at the source
	Product string `json:"productKey,omitempty"`
	State   string `json:"state,omitempty"` // at the source, in the platform's word
	Do      string `json:"do"`
	// Devices is how many devices an update has not reached yet.
	Devices int `json:"devices,omitempty"`
	// Shown tells whether it was read. If not, nobody but the owner knows whether there is any.
	Shown bool `json:"shown"`
}

// ListChecks makes the checklist of a source's configuration, as it was read before the migration. It is pure.
func ListChecks(source *Config) *Checklist {
	c := &Checklist{Items: []CheckItem{}}
	for _, j := range source.Jobs {
		if j.InFlight() {
			c.add(CheckItem{What: "device job", Name: j.Name, ID: j.ID, State: j.Status, Do: "Let it end before the devices move, or create it again at the target.", Shown: true})
		}
	}
	for _, u := range source.Updates {
		if u.InFlight() {
			c.add(CheckItem{
				Devices: u.Unfinished, What: "OTA update", Name: u.Firmware + " " + u.Version, ID: u.ID, Product: u.ProductKey, State: u.Status,
				Do: "Let it end before the devices move, or upload the package and create the batch again at the target.", Shown: true,
			})
		}
	}
	for _, s := range source.Scenes {
		state := "stopped"
		if s.Running {
			state = "running"
		}
		c.add(CheckItem{What: "scene", Name: s.Name, ID: s.ID, State: state, Do: "Create it again at the target.", Shown: true})
	}
	for _, g := range source.DeviceGroups {
		c.add(CheckItem{
			What: "device group", Name: g.Name, ID: g.ID, Shown: true,
			Do: "When its devices have moved and are in a group at the target, delete it: operations on them raise errors here.",
		})
	}
	for _, u := range source.Unread {
		c.add(CheckItem{What: string(u.Kind) + "s", Do: "They could not be read, as " + u.Why + ": look them up in the console."})
	}
	for _, what := range []string{"alerts", "dynamic device groups", "remote configurations", "secure tunnels"} {
		c.add(CheckItem{What: what, Do: "They are not listed here: look them up in the console, and create them again at the target."})
	}
	slices.SortStableFunc(c.Items, func(a, b CheckItem) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Product, b.Product), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return c
}

func (c *Checklist) add(i CheckItem) { c.Items = append(c.Items, i) }

// WriteText writes the checklist for a terminal.
func (c *Checklist) WriteText(w io.Writer) error {
	p := page.New(w)
	p.Printf("CHECKLIST: %s to be made again by hand\n", counted(len(c.Items), "thing"))
	for _, i := range c.Items {
		p.Printf("  [ ] %s\n      do: %s\n", iot.Printable(i.subject()), iot.Printable(i.Do))
	}
	return p.Flush("checklist")
}

// WriteMarkdown writes the checklist as a page of Markdown with boxes to tick.
func (c *Checklist) WriteMarkdown(w io.Writer) error {
	p := page.New(w)
	p.Printf("# To be made again by hand\n\n")
	for _, i := range c.Items {
		p.Printf("- [ ] %s. %s\n", page.Markdown(i.subject()), page.Markdown(i.Do))
	}
	return p.Flush("checklist")
}

// subject names an item with all that is known of it.
func (i CheckItem) subject() string {
	if !i.Shown {
		return i.What
	}
	s := i.What + " " + quoted(i.Name) + " (" + i.ID
	if i.Product != "" {
		s += ", product " + i.Product
	}
	if i.State != "" {
		s += ", " + i.State
	}
	if i.Devices > 0 {
		s += ", " + counted(i.Devices, "device") + " left"
	}
	return s + ")"
}
