package migrate

import (
	"fmt"
	"slices"
	"strings"
)

// work lists what people have to do besides the campaign, by the platform's page on what follows a migration.
// There is none if nothing can move.
func (in *inspection) work() []Issue {
	if len(in.lanes) == 0 {
		return nil
	}
	out := []Issue{in.consoleTasks()}
	for _, w := range []Issue{
		{Code: CodeInstanceID,
			Why: "Calls of your servers about devices that have moved must name the target: RRpc, Pub, PubBroadcast and every read. Without it they fail.",
			Remedy: fmt.Sprintf("Pass IotInstanceId %s for devices that have moved, or let package route do it; "+
				"by ticket, Pub and InvokeThingService get a mode that needs none.", in.survey.Target.ID)},
		{Code: CodeRecreate,
			Why: "Labels, device groups, device jobs, OTA tasks, scene linkage, remote configuration, alerts and secure tunnels do not come along.",
			Remedy: "List those that you use (packages configdiff and carry read and keep most of them, before the devices move), and create them again at the " +
				"target. Delete old groups: operations on devices that have moved raise errors there."},
		{Code: CodeDashboards,
			Why:    "Curves fall at the source and rise at the target. Alerts on falling values will fire.",
			Remedy: "Tell the people who watch them, and switch such alerts off for the time of the campaign."},
		{Code: CodeLogs,
			Why:    "The target's log service cannot show what was before the migration.",
			Remedy: "Export the logs that you must keep."},
		{Code: CodeSourceCopy,
			Why:    "The source keeps a copy of each product when its devices have moved.",
			Remedy: "Delete the copies by hand when everything is confirmed, and not before: a return needs them."},
	} {
		w.Severity, w.Basis, w.Instance = Work, BasisUndeclared, in.survey.Target.ID
		out = append(out, w)
	}
	out = append(out, in.ruleIDs()...)
	slices.SortStableFunc(out, compareIssues)
	return out
}

func (in *inspection) consoleTasks() Issue {
	products := 0
	for _, l := range in.lanes {
		products += len(l.lane.Products)
	}
	most := Limits{}.withDefaults().MaxTasks
	i := Issue{
		Code: CodeConsoleTasks, Severity: Work, Basis: BasisObserved, Instance: in.survey.Target.ID,
		Why: fmt.Sprintf("The console needs a migration task for each product, %d in all, and a person who creates them, "+
			"moves the first gray batches and confirms them. No API does.", products),
		Remedy: "Have an operator at hand: the plan says what to do and when.",
	}
	if products > most {
		i.Why += fmt.Sprintf(" At most %d tasks are open at once, so lanes wait for each other.", most)
		i.Remedy += " Keep other migration and distribution tasks out of the account meanwhile: they count as well."
	}
	return i
}

// namedRules is how many rules the work about their IDs names.
const namedRules = 10

// ruleIDs is for programs that call the APIs of rules.
func (in *inspection) ruleIDs() []Issue {
	var names []string
	total := 0
	for _, l := range in.lanes {
		for _, p := range l.lane.Products {
			total += len(p.Rules)
			for _, r := range p.Rules[:min(len(p.Rules), namedRules-len(names))] {
				names = append(names, fmt.Sprintf("%q of product %s", r.Name, p.Key))
			}
		}
	}
	if total == 0 {
		return nil
	}
	if more := total - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return []Issue{{
		Code: CodeRuleIDs, Severity: Work, Basis: BasisObserved, Instance: in.survey.Target.ID,
		Why:    "Forwarding rules come along under new IDs: " + strings.Join(names, ", ") + ".",
		Remedy: "Let programs that call APIs of rules read the IDs again at the target (ListRule), and pass its IotInstanceId.",
	}}
}
