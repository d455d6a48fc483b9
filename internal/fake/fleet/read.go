package fleet

import (
	"io"
	"math"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// version is the only version of the format there is.
const version = "1"

// Read reads one fleet file to its end and returns it if it keeps every rule of the format: see
// fleets/FORMAT.md.
//
// The first fault ends the reading, with an [*Error] that names its place: faults of the text and of single
// values in the order of the file, then what does not fit together. The text must be UTF-8. As in
// encoding/json, half a surrogate pair (\ud800) stands for U+FFFD. Values may be nested 100 levels deep.
// An error of r itself is returned wrapped, and is no [*Error].
//
// Read keeps one map of all devices while it runs. It does not close r.
func Read(r io.Reader) (*Fleet, error) {
	w := newWalker(r)
	f := new(Fleet)
	if err := w.fleet(f); err != nil {
		return nil, err
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	if err := resolve(f); err != nil {
		return nil, err
	}
	return f, nil
}

func (w *walker) fleet(f *Fleet) error {
	return w.object([]member{
		{"version", false, w.version},
		{"account", false, w.account(&f.Account)},
		{"instances", false, w.instances(&f.Instances)},
		{"products", false, w.products(&f.Products)},
		{"devices", false, w.devices(&f.Devices)},
		{"consumerGroups", true, w.consumerGroups(&f.ConsumerGroups)},
	})
}

func (w *walker) version() error {
	s, err := w.digits()
	if err != nil {
		return err
	}
	if s != version {
		return w.fault("version %s is not known: this reader knows version %s", clip(s), version)
	}
	return nil
}

func (w *walker) account(a *Account) reader {
	return func() error {
		return w.object([]member{
			{"uid", false, w.uid(&a.UID)},
			{"region", false, w.text(&a.Region)},
			{"accessKeyId", false, w.text(&a.AccessKeyID)},
			{"accessKeySecret", false, w.secret(&a.AccessKeySecret)},
		})
	}
}

func (w *walker) uid(dst *string) reader {
	read := w.text(dst)
	return func() error {
		if err := read(); err != nil {
			return err
		}
		if strings.Trim(*dst, "0123456789") != "" {
			return w.fault("%q is not made of the digits 0-9 only", clip(*dst))
		}
		return nil
	}
}

func (w *walker) instances(dst *[]Instance) reader {
	var i Instance
	members := []member{
		{"id", false, w.anyText(&i.ID)},
		{"type", false, word(w, &i.Type, iot.PublicLegacy, iot.EnterpriseStandard)},
		{"onlineQuota", true, w.number(&i.OnlineQuota, 1, math.MaxInt)},
	}
	return rows(w, dst, &i, Instance{}, members, func() error { return w.instance(i) })
}

// instance checks the fields of an instance against each other.
func (w *walker) instance(i Instance) error {
	legacy := i.Type == iot.PublicLegacy
	switch {
	case legacy && i.ID != "":
		return w.faultIn([]string{"id"}, `%q: the ID of the public-legacy instance is ""`, clip(i.ID))
	case !legacy && i.ID == "":
		return w.faultIn([]string{"id"}, "an empty text: only the ID of the legacy instance is one")
	case legacy && i.OnlineQuota != 0:
		return w.faultIn([]string{"onlineQuota"}, "the public-legacy instance has no quota: remove the field")
	case !legacy && i.OnlineQuota == 0:
		return w.missing("onlineQuota")
	}
	return nil
}

func (w *walker) consumerGroups(dst *[]ConsumerGroup) reader {
	var g ConsumerGroup
	members := []member{
		{"id", false, w.text(&g.ID)},
		{"name", false, w.text(&g.Name)},
		{"instance", false, w.anyText(&g.Instance)},
	}
	return rows(w, dst, &g, ConsumerGroup{}, members, func() error { return nil })
}

// rows reads an array of objects. The members read one object into row, which starts as zero each time;
// check says whether the fields of a row go together.
func rows[T any](w *walker, dst *[]T, row *T, zero T, members []member, check reader) reader {
	return func() error {
		return w.array(func() error {
			*row = zero
			if err := w.object(members); err != nil {
				return err
			}
			if err := check(); err != nil {
				return err
			}
			*dst = append(*dst, *row)
			return nil
		})
	}
}
