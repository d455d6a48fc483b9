package main

import (
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
)

// A preflight is what a plan contains, in the form of fleets/*.expected.json.
type preflight struct {
	Lanes    []laneLine  `json:"lanes"`
	Blocked  []issueLine `json:"blocked"`
	Warnings []issueLine `json:"warnings"`
}

type laneLine struct {
	Scenario      int      `json:"scenario"`
	Products      []string `json:"products"`
	Families      int      `json:"families"`
	Devices       int      `json:"devices"`
	LargestFamily int      `json:"largestFamily"`
}

// An issueLine has one of the first three fields.
type issueLine struct {
	ProductKey string   `json:"productKey,omitempty"`
	Family     string   `json:"family,omitempty"`
	Instance   string   `json:"instance,omitempty"`
	Reasons    []string `json:"reasons"`
}

func preflightOf(p *migrate.Plan) preflight {
	out := preflight{Lanes: []laneLine{}, Blocked: []issueLine{}, Warnings: []issueLine{}}
	for _, l := range p.Lanes {
		row := laneLine{
			Scenario: scenario.Number(l.Strategy), Families: l.Lane.Families,
			Devices: l.Lane.Devices, LargestFamily: l.Lane.LargestFamily,
		}
		for _, product := range l.Lane.Products {
			row.Products = append(row.Products, product.Key)
		}
		out.Lanes = append(out.Lanes, row)
	}
	for _, i := range p.Issues {
		if i.Severity == migrate.Blocker {
			out.Blocked = addIssue(out.Blocked, i)
		} else {
			out.Warnings = addIssue(out.Warnings, i)
		}
	}
	return out
}

// addIssue lists all reasons of one subject together.
func addIssue(list []issueLine, i migrate.Issue) []issueLine {
	row := issueLine{ProductKey: i.ProductKey, Instance: i.Instance}
	if i.Family != nil {
		row.Family = i.Family.String()
	}
	for n := range list {
		at := &list[n]
		if at.ProductKey == row.ProductKey && at.Instance == row.Instance && at.Family == row.Family {
			at.Reasons = append(at.Reasons, string(i.Code))
			return list
		}
	}
	row.Reasons = []string{string(i.Code)}
	return append(list, row)
}
