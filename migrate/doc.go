// Package migrate plans and runs campaigns: it moves the devices of an account from the public instance
// to an Enterprise instance, lane by lane, stage by stage, wave by wave.
//
//	survey, err := migrate.TakeSurvey(ctx, platform.Source.View, platform.Target.View, account, declared)
//	plan, err := migrate.Planner{Strategies: scenario.All(options)}.Plan(survey)
//	runner, err := migrate.NewRunner(migrate.Config{Campaign: "spring", Plan: plan, ...})
//	report, err := runner.Run(ctx)
//
// Running a plan again resumes its campaign: the [Journal] tells what was done. What happens next is decided
// by a [State], a pure value; the [Runner] reads and writes the platform for it and believes only what it
// sees on both instances. What only a person can do is asked of an [Operator] and an [Approver]. One run at a time has a
// campaign: see [Leaser].
//
// # What a custom strategy needs
//
// One function that returns a list of [Stage]: see [NewStrategy].
package migrate
