package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// legacyRegions are the regions with legacy public instances, by the platform's page on endpoints. An Enterprise instance
// elsewhere is no target, as its region must be the source's.
func legacyRegions() []string {
	return []string{"cn-shanghai", "ap-northeast-1", "ap-southeast-1", "eu-central-1", "us-west-1", "us-east-1"}
}

// checkInstances compares what both instances are with what the platform migrates between.
func (in *inspection) checkInstances() {
	source, target := in.survey.Source, in.survey.Target
	add := func(code Code, s Severity, why, remedy string) {
		basis := BasisDeclared // endpoints and regions are configured: no API tells them
		in.issues = append(in.issues, Issue{Code: code, Severity: s, Basis: basis, Instance: target.ID, Why: why, Remedy: remedy})
	}
	if source.Region != target.Region {
		add(CodeRegion, Blocker,
			fmt.Sprintf("The platform migrates within one region, and the source is in %q, the target in %q.", source.Region, target.Region),
			"Take an Enterprise instance in the source's region.")
	} else if !slices.Contains(legacyRegions(), source.Region) {
		add(CodeRegionUnknown, Warning,
			fmt.Sprintf("No legacy public instance is documented for region %q, only for %s.", source.Region, strings.Join(legacyRegions(), ", ")),
			"Check the region of the source and of its endpoints.")
	}
	if source.Type != iot.PublicLegacy || source.ID != "" {
		add(CodeInstanceType, Blocker,
			fmt.Sprintf("The platform migrates from the legacy public instance, which has no ID; the source is %s, of type %q.", source, source.Type),
			"A public instance with an ID is upgraded in place by the console, not migrated.")
	}
	if target.Type != iot.EnterpriseStandard {
		add(CodeInstanceType, Blocker,
			fmt.Sprintf("The platform migrates to Enterprise instances of the standard type; the target is of type %q.", target.Type),
			"Take an Enterprise instance of the standard type.")
	}
}

// checkTasks warns of lanes that need more console tasks at once than the platform has: their families tie all their
// products together.
func (in *inspection) checkTasks() {
	most := Limits{}.withDefaults().MaxTasks
	for _, l := range in.lanes {
		n := len(l.lane.Products)
		if n <= most {
			continue
		}
		in.issues = append(in.issues, Issue{
			Code: CodeTaskLimit, Severity: Warning, Basis: BasisObserved, ProductKey: l.lane.ID,
			Why: fmt.Sprintf("Families tie %d products together (%s), and each needs a migration task; the platform allows %d tasks at once.",
				n, l.lane.keys(), most),
			Remedy: "Ask support to raise the limit before the campaign begins, or give some sub-devices other gateways.",
		})
	}
}
