package migrate

import (
	"fmt"
	"strings"
	"time"
)

// CheckStages returns an [iot.Invalid] error that names the first stage that breaks a rule, and the rule:
//
//   - names of stages, and of the verifiers of a stage, are unique and in kebab-case;
//   - a stage does something: it has a gate, a console task, own code, a move, a wait or verifiers;
//   - own code stands alone: a stage with Do has neither a console task nor a move, and Undo needs Do;
//   - the console's gray batch and full migration need Move, and no other console task has it; full
//     migration needs Rest; a rollback is no stage's task;
//   - a Move has Devices or Rest, and a valid Ramp; no Move follows one with Rest;
//   - a Window is not negative, and its Max, if there is one, not below its Min;
//   - Opens needs a wait, Closes needs one with a Max, and their names are in kebab-case;
//   - OneWay needs Gate.
func CheckStages(stages []Stage) error {
	if len(stages) == 0 {
		return refuse("there are no stages")
	}
	names := map[string]bool{}
	rest := ""
	for i, s := range stages {
		if err := s.check(); err != nil {
			return fmt.Errorf("stages[%d] %q: %w", i, s.Name, err)
		}
		if names[s.Name] {
			return refuse("stages[%d] %q: another stage has that name", i, s.Name)
		}
		names[s.Name] = true
		if s.Move == nil {
			continue
		}
		if rest != "" {
			return refuse("stages[%d] %q: it moves devices, but stage %q has moved the rest before", i, s.Name, rest)
		}
		if s.Move.Rest {
			rest = s.Name
		}
	}
	return nil
}

func (s Stage) check() error {
	switch {
	case s.Do == nil && s.Undo != nil:
		return refuse("it has Undo, but no Do")
	case s.Do != nil && (s.Console != "" || s.Move != nil):
		return refuse("own code stands in a stage of its own, without a console task or a move")
	case s.idle():
		return refuse("it does nothing: leave it out")
	}
	for _, c := range []Condition{s.Opens, s.Closes} {
		if c != nil && c.Name() == "" {
			return refuse("a condition has no name")
		}
	}
	if err := s.Move.check(); err != nil {
		return err
	}
	if s.Console == ConsoleFull && s.Move != nil && !s.Move.Rest {
		return refuse("console: full migration moves all devices, so the move needs Rest")
	}
	if err := s.checkVerifiers(); err != nil {
		return err
	}
	return s.plan().check()
}

func (s Stage) idle() bool {
	return !s.Gate && s.Console == "" && s.Do == nil && s.Move == nil && s.Wait == Window{} && len(s.Verify) == 0 &&
		s.Opens == nil && s.Closes == nil
}

// check accepts nil.
func (m *Move) check() error {
	switch {
	case m == nil:
		return nil
	case m.Devices < 0:
		return refuse("move: %d devices cannot be moved", m.Devices)
	case m.Rest == (m.Devices > 0):
		return refuse("move: it has to have either Devices or Rest")
	}
	if err := m.Ramp.Check(); err != nil {
		return fmt.Errorf("move: %w", err)
	}
	return nil
}

func (s Stage) checkVerifiers() error {
	for i, v := range s.Verify {
		if v == nil {
			return refuse("verifiers[%d]: it is nil", i)
		}
	}
	return nil
}

// check holds what a stage and its plan have in common.
func (s StagePlan) check() error {
	switch {
	case !isKebab(s.Name):
		return refuse("name: %q is not in kebab-case", s.Name)
	case s.OneWay && !s.Gate:
		return refuse("oneWay: a stage without a way back needs a gate")
	}
	if err := s.checkConsole(); err != nil {
		return err
	}
	if err := s.Wait.check(); err != nil {
		return err
	}
	if err := s.checkConditions(); err != nil {
		return err
	}
	names := map[string]bool{}
	for i, name := range s.Verifiers {
		switch {
		case !isKebab(name):
			return refuse("verifiers[%d]: name %q is not in kebab-case", i, name)
		case names[name]:
			return refuse("verifiers[%d]: %q is there twice", i, name)
		}
		names[name] = true
	}
	return nil
}

func (s StagePlan) checkConditions() error {
	switch {
	case s.Opens != "" && !isKebab(s.Opens):
		return refuse("opens: name %q is not in kebab-case", s.Opens)
	case s.Closes != "" && !isKebab(s.Closes):
		return refuse("closes: name %q is not in kebab-case", s.Closes)
	case s.Opens != "" && s.Wait == Window{}:
		return refuse("opens: there is no wait that it could begin")
	case s.Closes != "" && s.Wait.Max == 0:
		return refuse("closes: the wait needs a max, so that it comes to an end")
	}
	return nil
}

func (s StagePlan) checkConsole() error {
	switch s.Console {
	case "":
		return nil
	case ConsoleGray, ConsoleFull:
		if !s.Moves {
			return refuse("console: task %q moves devices: the stage needs a move", s.Console)
		}
	case ConsoleCreate, ConsoleConfirm, ConsoleDataSync:
		if s.Moves {
			return refuse("console: task %q moves no devices: the move needs a stage of its own", s.Console)
		}
	case ConsoleRollback:
		return refuse("console: task %q is the way back, and no stage", s.Console)
	default:
		return refuse("console: task %q is unknown", s.Console)
	}
	return nil
}

func (w Window) check() error {
	switch {
	case w.Min < 0 || w.Max < 0:
		return refuse("wait: %v to %v is negative", w.Min, w.Max)
	case w.Max > 0 && w.Max < w.Min:
		return refuse("wait: it lasts at most %v, which is less than the least of %v", w.Max, w.Min)
	}
	return nil
}

const platformTasks = 5 // migration tasks that may run at once: usage notes of instance migration

func (l Limits) check() error {
	switch {
	case l.MaxFailedDevices < 0:
		return refuse("maxFailedDevices: %d is negative", l.MaxFailedDevices)
	case !(l.MaxFailedShare >= 0 && l.MaxFailedShare <= 1): // refuses NaN as well
		return refuse("maxFailedShare: %v is not from 0 to 1", l.MaxFailedShare)
	case l.MinSample < 0:
		return refuse("minSample: %d is negative", l.MinSample)
	case l.MaxOffline < 0:
		return refuse("maxOffline: %d is negative", l.MaxOffline)
	case l.MaxTasks < 0 || l.MaxTasks > platformTasks:
		return refuse("maxTasks: %d is not from 0 to %d, the most that the platform allows", l.MaxTasks, platformTasks)
	}
	return nil
}

func (d Deadlines) check() error {
	for _, f := range []struct {
		name  string
		value time.Duration
	}{
		{"visible", d.Visible}, {"arrive", d.Arrive}, {"verify", d.Verify},
		{"console", d.Console}, {"gate", d.Gate}, {"return", d.Return},
		{"reverse", d.Reverse}, {"wake", d.Wake},
	} {
		if f.value < 0 {
			return refuse("%s: %v is negative", f.name, f.value)
		}
	}
	return nil
}

// isKebab reports whether s is words of a-z and 0-9 with single hyphens between them.
func isKebab(s string) bool {
	for word := range strings.SplitSeq(s, "-") {
		if word == "" || strings.IndexFunc(word, notLowerAlphanumeric) >= 0 {
			return false
		}
	}
	return true
}

func notLowerAlphanumeric(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
