package mutation

// breaches is the table: a promise has the number of docs/testing.md, a rule its name there.
func breaches() []breach {
	return []breach{
		// What counts as moved.
		{
			"1 F1", "a call that was accepted counts as arrived", "migrate",
			"l.endCall(DeviceAccepted, e.At)", "l.endCall(DeviceArrived, e.At)",
			"TestSuccessWithoutEffectIsNeverDone",
		},
		{
			"1 F16", "a device that the source shows as well counts as arrived", "migrate",
			"case s.atTarget && !s.atSource:", "case s.atTarget:",
			"TestExactlyOneOwner",
		},
		{
			"1 F16", "a device that the target shows as well counts as returned", "migrate",
			"if s.atSource && !s.atTarget {", "if s.atSource {",
			"TestBothIsNotBack",
		},
		{
			"1 F16", "a device on neither instance is no alarm", "migrate",
			"case !s.atSource && !s.atTarget:", "case false:",
			"TestExactlyOneOwner",
		},

		// Intents, outcomes, and what is unknown.
		{
			"2 F3", "tasks start although their intent is not durable", "migrate",
			"err = l.flush(ctx)\n\t\tif errors.Is(err, ErrConflict) {\n\t\t\tl.release(started)",
			"if err = l.flush(ctx); err != nil && !errors.Is(err, ErrConflict) {\n\t\t\terr, l.pending = nil, nil\n\t\t}\n\t\tif errors.Is(err, ErrConflict) {\n\t\t\tl.release(started)",
			"TestFullDiskStopsBeforeTheNextEffect",
		},
		{
			"2 F2", "a console task counts as performed before it is", "migrate",
			"if err := x.r.config.Operator.Perform(ctx, x.consoleTask()); err != nil {\n\t\te.Error = err.Error()\n\t}\n\tx.emit(e)",
			"x.emit(e)\n\tx.emit() // the first one is durable now\n\t_ = x.r.config.Operator.Perform(ctx, x.consoleTask())",
			"migrate/migratetest TestStrategyCases",
		},
		{
			"2 F9", "the journal has no header", "migrate",
			"if l.state.Seq() == 0 {", "if false {",
			"TestIntentBeforeEffectBeforeOutcome",
		},
		{
			"2 F6", "a lost answer means that nothing happened", "migrate",
			"e.Note = err.Error()", "e.Unknown, e.Error, e.Retry = nil, err.Error(), true",
			"TestLostAnswersAreLookedUpNeverResentBlindly",
		},
		{
			"2 F6", "a device of unknown outcome is sent again before its effect must show", "migrate",
			"|| at.Before(l.movedAt(i).Add(l.deadlines.Visible))", "",
			"TestStateWaitsForEffectsToShow",
		},
		{
			"2 F6", "a device is sent again by what was asked before its effect must show", "migrate",
			"return d.Doubt && !asked.Before(from.Add(t.visible))", "return d.Doubt",
			"TestSlowLooksSendNothingTwice",
		},
		{
			"2 F8", "an append is not synced", "migrate/journal",
			"} else if err = c.sync(); err == nil {", "} else if err == nil {",
			"TestSyncFailsOnce",
		},

		// Crashes.
		{
			"3 F6", "a new runner forgets the call that was under way", "migrate",
			"l.callUnknown(at)", "l.inFlight = 0",
			"migrate/migratetest TestStorm",
		},
		{
			"3", "a new runner waits for an operator whom nobody asked", "migrate",
			"l.asked = time.Time{}\n\tif l.back != nil {\n\t\tl.back.asked = time.Time{}", "if l.back != nil {\n\t\tl.back.asked = time.Time{}",
			"migrate/migratetest TestStrategyCases",
		},
		{
			"3 F8", "a part of an append counts", "migrate/journal",
			"if l.rec.Batch[1] == at.seq {", "if true {",
			"TestCutAnywhere",
		},
		{
			"3 F8", "the next append leaves a torn tail where it is", "migrate/journal",
			"if size > c.end.off {", "if false {",
			"TestLongTornTail",
		},
		{
			"3 F8", "sums are not checked", "migrate/journal",
			"if l.sum != claimed(l.text) {", "if false {",
			"TestChangedByte",
		},

		// Families.
		{
			"4", "a lane stops in the middle of a family", "migrate",
			"&& !l.splitBefore(l.next)", "",
			"TestStateDecisions",
		},
		{
			"4", "a family that was split for good is not returned", "migrate",
			"len(split) > 0 {", "len(split) > len(l.dev) {",
			"TestStateModel",
		},
		{
			"4", "a gateway moves before its sub-devices", "topology",
			"g.left = int32(len(f.children()))", "g.left = 0\n\tp.put(f.ID(), i)",
			"TestCalls",
		},
		{
			"4", "a family waits for ever until calls are full", "topology",
			"const patience = 18", "const patience = 18000",
			"TestCallsAreFewAndSplitsShort",
		},
		{
			"4", "the split is not measured", "migrate",
			"l.measureSplit(lo, hi)", "",
			"TestSplitIsMeasured",
		},

		// Verdicts.
		{
			"5 F5", "resuming forgets what has failed", "migrate",
			"l.callAgain(at)\n", "l.callAgain(at)\n\tfor i := range l.dev {\n\t\tif l.dev[i].state == DeviceFailed {\n\t\t\tdelete(l.failures, int32(i))\n\t\t\tl.set(int32(i), DeviceArrived)\n\t\t}\n\t}\n",
			"TestFailedVerdictIsSticky",
		},
		{
			"5 F1", "what is inconclusive has passed", "migrate",
			"case Pass:", "case Pass, Inconclusive:",
			"TestUnprovenDevicesSayWhatIsMissing",
		},
		{
			"5", "devices fail because a verifier could not look", "migrate",
			"if l.errored != \"\" {\n\t\treturn answer{entries: []Entry{l.halted(HaltDeadline, \"the verifiers", "if false {\n\t\treturn answer{entries: []Entry{l.halted(HaltDeadline, \"the verifiers",
			"TestVerifiersThatCannotLookFailNothing",
		},
		{
			"5", "a look that could not read everything counts as whole", "migrate",
			"yield(sighting{}, err)\n", "_ = err\n",
			"TestWhatCannotBeReadFailsNobody",
		},
		{
			"5 F4", "what plans and surveys could write", "iot",
			"ModelVersionReader\n\tHistoryReader\n", "ModelVersionReader\n\tHistoryReader\n\tMover\n",
			"TestViewsCannotWrite",
		},

		// Runners.
		{
			"6 F10", "a journal takes the entries of a runner that was taken over", "migrate/journal",
			"if e.Fence != 0 && e.Fence < fence {", "if false {",
			"TestMemory",
		},
		{
			"6 F10", "two processes append at the same time", "migrate/journal",
			"if err := c.await(ctx, l.TryLockContext); err != nil {", "if err := ctx.Err(); err != nil {",
			"TestLocked",
		},

		// Journals of something else.
		{
			"7 F7", "a journal of another plan is continued", "migrate",
			"if h == want {", "if true {",
			"TestJournalOfAnotherPlanIsRefused",
		},
		{
			"7 F7", "a journal of a later format is read", "migrate",
			"case e.Header.Version != JournalVersion:", "case false:",
			"TestStateRefusesWhatDoesNotFit",
		},

		// People.
		{
			"8", "a pause does not stop a way back", "migrate",
			"|| l.paused && !b.split {", "{",
			"TestStateDecisions",
		},
		{
			"8 F18", "an abort is a pause", "migrate",
			"l.stopping, l.stopNote = HaltAborted, d.by()", "l.paused = true",
			"TestStateDecisions",
		},
		{
			"8 F18", "a new runner goes on after an abort", "migrate",
			"l.takenOver(e.At", "l.halt = \"\"\n\t\t\tl.takenOver(e.At",
			"TestPauseAbortAndResumeWhileRunning",
		},
		{
			"8", "a way back that got stuck cannot be begun again", "migrate",
			"stuck := (l.halt != \"\" || l.paused)", "stuck := false",
			"TestStateDecisions",
		},
		{
			"8", "a rollback of a wave returns the whole lane", "migrate",
			"return l.rangeOf(s, d.Wave-1)", "return 0, int32(len(l.dev))",
			"TestStateDecisions",
		},
		{
			"8", "what another process decides is not noticed", "migrate",
			"return l.follow(ctx)", "return nil",
			"TestWaitingRunsFollowTheJournal",
		},
		{
			"8 F20", "a decision loses the outcome of the call under way", "migrate",
			"if w == nil || w.task.Kind == TaskMove || (", "if w == nil || (",
			"TestDecisionDuringACall",
		},

		// Deadlines: a hundred years are none.
		{
			"9 F11", "a gate waits for ever", "migrate",
			"l.since.Add(l.deadlines.Gate)", "l.since.Add(1 << 62)",
			"TestEveryStateHasADeadline",
		},
		{
			"9 F11", "an operator is waited for for ever", "migrate",
			"deadline := l.since.Add(l.deadlines.Console)\n\tif !now.Before(deadline) {\n\t\treturn answer{entries: []Entry{l.halted(HaltDeadline, \"the effect", "deadline := l.since.Add(1 << 62)\n\tif !now.Before(deadline) {\n\t\treturn answer{entries: []Entry{l.halted(HaltDeadline, \"the effect",
			"TestEveryStateHasADeadline",
		},
		{
			"9 F11", "own code is waited for for ever", "migrate",
			"stage := l.stagePlan()\n\tdeadline := l.since.Add(l.deadlines.Console)", "stage := l.stagePlan()\n\tdeadline := l.since.Add(1 << 62)",
			"TestEveryStateHasADeadline",
		},
		{
			"9 F11", "devices are waited for for ever after their call", "migrate",
			"later(l.lastCall, l.since).Add(l.deadlines.Arrive)", "later(l.lastCall, l.since).Add(1 << 62)",
			"TestEveryStateHasADeadline",
		},
		{
			"9 F11", "verdicts are waited for for ever", "migrate",
			"max(l.deadlines.Verify, l.deadlines.Console)", "1 << 62",
			"TestEveryStateHasADeadline",
		},
		{
			"9 F11", "a way back takes for ever", "migrate",
			"b.since.Add(l.deadlines.Return)", "b.since.Add(1 << 62)",
			"TestEveryStateHasADeadline",
		},

		// Quotas.
		{
			"10 F14", "a call that was throttled ends the lane", "migrate",
			"e.Retry = kind == iot.Throttled || kind == iot.Transient", "e.Retry = false",
			"TestThrottledAndTransientCallsAreMadeAgain",
		},
		{
			"10", "calls are made at twice the pace", "quota",
			"turn := l.turn(now, a.pace)", "turn := l.turn(now, 2*a.pace)",
			"TestNeverOverTheLimit",
		},
		{
			"10", "campaigns are throttled under the documented quotas", "quota",
			"turn := l.turn(now, a.pace)", "turn := l.turn(now, 2*a.pace)",
			"migrate TestEverythingArrivesWholeAndProven",
		},
		{
			"10", "throttling does not slow anything down", "quota",
			"a.pace = max(a.pace/2, a.full*lowest)", "a.pace = max(a.pace, a.full*lowest)",
			"TestThrottledHalvesAtOnceAndGrowsBack",
		},
		{
			"F17", "verifiers leave nothing for a way back", "quota",
			"a.ordinary = newLane(1 - reserve)", "a.ordinary = newLane(1)",
			"TestUrgentDoesNotWaitBehindTheCrowd",
		},
		{
			"F17", "looks of the way back wait behind others", "migrate",
			"x.lookBack(iot.Urgent(ctx))", "x.lookBack(ctx)",
			"TestLooksOfTheWayBackAreUrgent",
		},

		// Secrets.
		{
			"11", "secrets print", "iot",
			"_, _ = f.Write([]byte(redacted))", "_, _ = f.Write([]byte(s.Reveal()))",
			"migrate TestNothingTellsASecret",
		},
		{
			"11", "secrets are marshalled", "iot",
			"{ return []byte(redacted), nil }", "{ return []byte(s.Reveal()), nil }",
			"TestSecretIsNotMarshalled",
		},

		// Limits.
		{
			"12 F13", "one more device may fail than the limit says", "migrate",
			"if failed > l.limits.MaxFailedDevices {", "if failed > l.limits.MaxFailedDevices+1 {",
			"TestLimitsMeanWhatTheySay",
		},
		{
			"12 F13", "the limit does not hold in the last stage", "migrate",
			"case l.over():", "case l.over() && l.stage < len(l.plan.Stages)-1:",
			"TestLimitsMeanWhatTheySay",
		},
		{
			"12 F12", "a lane that has ended keeps its console tasks", "migrate",
			"return l.begun && l.phase != phaseFinished ", "return l.begun ",
			"TestLanesWaitForFreeConsoleTasks",
		},
		{
			"12 F12", "a lane that a person has given up keeps its console tasks", "migrate",
			"return l.halt == HaltAborted || l.halt != \"\" && ", "return l.halt != \"\" && ",
			"TestLaneThatIsGivenUpFreesItsConsoleTasks",
		},
		{
			"12 F15", "a device that failed is in no list", "migrate",
			"l.failures[i] = why", "",
			"TestStateModel",
		},
		{
			"12 F15", "one bad device takes the others of its call with it", "migrate",
			"l.resolveCall(i, DeviceRejected)", "l.giveUpCalls(\"one was refused\", e.At)",
			"TestStateModel",
		},
	}
}
