package migrate

import (
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// warn adds the warnings: about what is in a lane, and about products without devices.
func (in *inspection) warn() {
	for i := range in.prospects {
		if p := &in.prospects[i]; !p.blocked && len(p.shown.Devices) == 0 {
			in.issues = append(in.issues, Issue{
				Code: CodeNoDevices, Severity: Warning, Basis: BasisObserved, ProductKey: p.product.Key,
				Why:    "The product has no devices: there is nothing to move, and so nothing is verified.",
				Remedy: "Nothing, or create it at the target by hand if you go on using it.",
			})
		}
	}
	checks := productWarnings()
	devices := deviceWarnings(in.survey.Declared)
	for _, l := range in.lanes {
		for _, product := range l.lane.Products {
			p := &in.prospects[in.index[product.Key]]
			for _, c := range checks {
				if c.hits(in.survey.Declared, p) {
					in.issues = append(in.issues, c.issue(Warning, product.Key))
				}
			}
			if atypical(l.lane, product) {
				in.issues = append(in.issues, Issue{
					Code: CodeAtypical, Severity: Warning, Basis: basisOf(product), ProductKey: product.Key,
					Why:    "The platform's guide has no page for this combination of gateway, authentication and data format.",
					Remedy: "Read the lane's stages, and add to its strategy what they do not verify.",
				})
			}
			in.warnOfDevices(p, devices)
		}
	}
}

// atypical reports whether the guide's page for the lane leaves out what the product is: pages go by
// gateway first, then by pre-registration, then by data format.
func atypical(l Lane, p Product) bool {
	registered := p.Auth == iot.AuthPerProductPreregistered
	if l.HasGateway() {
		return registered || p.DataFormat == iot.Alink
	}
	return registered && p.DataFormat == iot.Alink
}

// basisOf tells how it is known what makes a product atypical: that it is pre-registered, no API shows.
func basisOf(p Product) Basis {
	if p.Auth == iot.AuthPerProductPreregistered {
		return BasisDeclared
	}
	return BasisObserved
}

// A deviceCheck is one reason to warn about single devices.
type deviceCheck struct {
	code  Code
	basis Basis
	hits  func(iot.Device) bool
	why   string
	do    string
}

func deviceWarnings(d Declared) []deviceCheck {
	return []deviceCheck{
		{CodeDisabled, BasisObserved, func(d iot.Device) bool { return d.Status == iot.Disabled },
			"The platform does not say what happens to disabled devices, and they cannot prove themselves online.",
			"Enable them first, or accept that they can only be seen to arrive."},
		{CodeUnactive, BasisObserved, func(d iot.Device) bool { return d.Status == iot.Unactive },
			"The platform does not say what happens to devices that never connected, and they may not come to prove themselves.",
			"Let them connect first, or accept that they can only be seen to arrive."},
		{CodeNoReconnect, BasisDeclared, among(d.NoReconnect),
			"The platform cuts a device off when it moves it: without reconnect logic it stays offline.",
			"Be ready to restart them when they have moved, or update their firmware first."},
		{CodeLabels, BasisDeclared, among(d.Labelled),
			"The platform does not migrate labels.",
			"Keep the labels before the devices move, and add them again at the target: package carry does both."},
	}
}

func among(ids []iot.DeviceID) func(iot.Device) bool {
	set := make(map[iot.DeviceID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return func(d iot.Device) bool { return set[d.ID] }
}

// warnOfDevices adds an issue for each check that hits devices of the product that move.
func (in *inspection) warnOfDevices(p *prospect, checks []deviceCheck) {
	for _, c := range checks {
		var hit []iot.DeviceID
		for _, d := range p.shown.Devices {
			if c.hits(d) && in.moves(d.ID) {
				hit = append(hit, d.ID)
			}
		}
		if len(hit) == 0 {
			continue
		}
		slices.SortFunc(hit, iot.DeviceID.Compare)
		in.issues = append(in.issues, Issue{
			Code: c.code, Severity: Warning, Basis: c.basis, ProductKey: p.product.Key, Devices: hit, Why: c.why, Remedy: c.do,
		})
	}
}

// moves reports whether a device of a product in a lane is itself in the lane.
func (in *inspection) moves(id iot.DeviceID) bool {
	_, held := slices.BinarySearchFunc(in.held, id, iot.DeviceID.Compare)
	return !held
}
