package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A PreflightReport says what stands between a fleet and its migration, all at once: blockers first, then
// warnings, then work. Warnings and work are about what can move. Equal surveys give equal reports.
// [PreflightReport.WriteText] and [PreflightReport.WriteMarkdown] are for people; as JSON it is for programs.
type PreflightReport struct {
	Account  string           `json:"account"`
	Source   iot.InstanceInfo `json:"source"`
	Target   iot.InstanceInfo `json:"target"`
	Products int              `json:"products"` // at the source; 0 as well if it could not be read: see CodeSurvey
	Devices  int              `json:"devices"`  // the same
	Movable  int              `json:"movable"`  // devices that nothing of their own keeps from moving; 0 as well after CodeInconsistent
	Issues   []Issue          `json:"issues"`
	// Survey is what was read, to make a plan of; nil if it could not be read.
	Survey *Survey `json:"-"`
}

// Blocked reports whether a campaign cannot begin at all. Blockers of products and families only leave those behind.
func (r *PreflightReport) Blocked() bool {
	return slices.ContainsFunc(r.Issues, func(i Issue) bool { return i.Severity == Blocker && i.Instance != "" })
}

// Preflight reads both instances and returns everything that keeps a fleet or a part of it from being migrated, everything that a
// person should know before it is, and the work that the platform leaves to people, each with its reason, its remedy,
// and how it is known. It changes nothing, as a View cannot: whether the credentials may read is tried by reading, and
// what cannot be tried is named.
//
// What hides the rest is an issue as well: credentials that may not read ([CodeAccess]), a list that cannot be read to its
// end ([CodeSurvey]), a fleet that does not fit together ([CodeInconsistent]). An error is returned only for views and
// declarations that are unusable, and when ctx is done. Reading a large fleet takes as long as [TakeSurvey].
func Preflight(ctx context.Context, source, target iot.View, account string, d Declared) (*PreflightReport, error) {
	head := &Survey{Account: account, Source: source.Info, Target: target.Info, Declared: d}
	for _, view := range []iot.View{source, target} {
		if err := view.Check(); err != nil {
			return nil, fmt.Errorf("preflight: %w", err)
		}
	}
	if err := head.checkHead(); err != nil {
		return nil, fmt.Errorf("preflight: %w", err)
	}
	var access []Issue
	missing := false
	at := &accessTrial{view: source}
	for _, t := range []*accessTrial{at, {view: target, like: at}} {
		if err := t.try(ctx); err != nil {
			return nil, fmt.Errorf("preflight: %w", err)
		}
		access = append(access, t.issues()...)
		missing = missing || t.missing
	}
	var survey *Survey
	err := errors.New("some of what it needs could not be read, see the other issues")
	if !missing {
		survey, err = TakeSurvey(ctx, source, target, account, d)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("preflight: %w", ctx.Err())
	}
	return preflightOf(head, survey, err, append(access, writeAccess(target.Info))), nil
}

// preflightOf reports on a survey, or, if that failed, on what is known without it.
func preflightOf(head, survey *Survey, failure error, more []Issue) *PreflightReport {
	if failure == nil {
		if r, err := survey.Preflight(); err == nil {
			r.add(more)
			return r
		} else {
			more = append(more, head.issue(CodeInconsistent, "What was read does not make one fleet: "+err.Error()+".",
				"Mend what is named, or survey again if the fleet is changing just now."))
		}
	} else {
		more = append(more, head.issue(CodeSurvey, "The fleet could not be read: "+failure.Error()+". Nothing is known of its products.",
			"Remove what hinders the reading, then run the preflight again."))
	}
	in := &inspection{survey: head}
	in.checkInstances()
	if survey != nil && survey.check() == nil { // only its topology is wrong: what blocks products is known
		in.survey = survey
		in.addProducts()
		in.blockProducts()
	}
	r := &PreflightReport{Account: head.Account, Source: head.Source, Target: head.Target, Survey: survey}
	if survey != nil {
		r.Products, r.Devices = len(survey.Products), survey.Devices()
	}
	r.add(append(in.issues, more...))
	return r
}

// issue is a blocker about the source as a whole.
func (s *Survey) issue(code Code, why, remedy string) Issue {
	return Issue{Code: code, Severity: Blocker, Basis: BasisObserved, Instance: s.Source.String(), Why: why, Remedy: remedy}
}

func (r *PreflightReport) add(issues []Issue) {
	r.Issues = append(r.Issues, issues...)
	slices.SortStableFunc(r.Issues, compareIssues)
}

// Preflight reports on what a survey shows, without reading anything: all of [Preflight] but for access. It returns an
// error if the survey cannot be read as one fleet: if a device has two gateways, for example.
func (s *Survey) Preflight() (*PreflightReport, error) {
	in, err := inspect(s, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("preflight: %w", err)
	}
	r := &PreflightReport{
		Account: s.Account, Source: s.Source, Target: s.Target,
		Products: len(s.Products), Devices: s.Devices(), Issues: []Issue{}, Survey: s,
	}
	for _, l := range in.lanes {
		r.Movable += l.lane.Devices
	}
	r.add(append(in.issues, in.work()...))
	return r, nil
}
