package tslsync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A VersionDiff is what is different in one version of a thing model.
type VersionDiff struct {
	Version            string
	AtSource, AtTarget bool
	Changes            []Change // if both have the version
}

// Same reports whether both instances have the version, and nothing in it is different.
func (v VersionDiff) Same() bool { return v.AtSource && v.AtTarget && len(v.Changes) == 0 }

// DiffVersions compares all published versions of a product's thing model, by the names that the instances give them
// (ListThingModelVersion): one result for each version that either of them has, oldest first if the names are numbers.
// Whether the numbers of versions survive a migration is not documented; if they do not, compare the models with [Diff].
// Its error is that of [Parse], with the instance and the version.
func DiffVersions(source, target map[string]json.RawMessage) ([]VersionDiff, error) {
	all := maps.Clone(source)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	maps.Copy(all, target)
	var diffs []VersionDiff
	for _, version := range slices.SortedFunc(maps.Keys(all), olderVersion) {
		v, err := diffVersion(version, source, target)
		if err != nil {
			return nil, err
		}
		diffs = append(diffs, v)
	}
	return diffs, nil
}

// ReadVersions reads all published versions of a product's thing model at one instance, by their names, for [DiffVersions]: one call for
// the list, and one for each version. A product without a model has none. It does not retry; its error is that of the reader.
func ReadVersions(ctx context.Context, at iot.ModelVersionReader, productKey string) (map[string]json.RawMessage, error) {
	list, err := at.ModelVersions(ctx, productKey)
	if err != nil {
		return nil, fmt.Errorf("versions of the thing model of %s: %w", productKey, err)
	}
	all := make(map[string]json.RawMessage, len(list))
	for _, v := range list {
		if all[v.Version], err = at.ThingModelVersion(ctx, productKey, v.Version); err != nil {
			return nil, fmt.Errorf("version %q of the thing model of %s: %w", v.Version, productKey, err)
		}
	}
	return all, nil
}

func diffVersion(version string, source, target map[string]json.RawMessage) (VersionDiff, error) {
	v := VersionDiff{Version: version}
	var a, b json.RawMessage
	a, v.AtSource = source[version]
	b, v.AtTarget = target[version]
	if !v.AtSource || !v.AtTarget {
		return v, nil
	}
	x, err := Parse(a)
	if err != nil {
		return v, fmt.Errorf("version %q at the source: %w", version, err)
	}
	y, err := Parse(b)
	if err != nil {
		return v, fmt.Errorf("version %q at the target: %w", version, err)
	}
	v.Changes = Diff(x, y)
	return v, nil
}

// olderVersion puts numbers in their order, before all other names.
func olderVersion(a, b string) int {
	x, ok := parseNumber(a)
	y, also := parseNumber(b)
	switch {
	case ok && also:
		return cmp.Or(x.compare(y), cmp.Compare(a, b))
	case ok:
		return -1
	case also:
		return 1
	}
	return cmp.Compare(a, b)
}
