package tslsync

import (
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

const day = 24 * time.Hour

// The window of the guide: enable data synchronisation and wait for 7 to 30 days.
const (
	MinWindow = 7 * day
	MaxWindow = 30 * day // as long as the platform keeps history
)

// FreshFor is how long a comparison proves that the target has all: what was reported since is not in it.
const FreshFor = day

// A Window is how long data synchronisation runs before the rest of the devices moves: at least Min, at most Max. A
// zero Min is [MinWindow], a zero Max [MaxWindow]. It converts to a migrate.Window.
type Window struct {
	Min time.Duration `json:"min,omitempty"`
	Max time.Duration `json:"max,omitempty"`
}

// Check returns an [iot.Invalid] error unless the window is within 7 to 30 days.
func (w Window) Check() error {
	w = w.filled()
	if w.Min < MinWindow || w.Max > MaxWindow || w.Min > w.Max {
		return refuse("a window of %s to %s: the guide asks to wait 7 to 30 days, as the target gets the history of that time only",
			inDays(w.Min), inDays(w.Max))
	}
	return nil
}

func (w Window) filled() Window {
	if w.Min == 0 {
		w.Min = MinWindow
	}
	if w.Max == 0 {
		w.Max = MaxWindow
	}
	return w
}

func inDays(d time.Duration) string {
	if d == day {
		return "1 day"
	}
	if d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// An Opening is the fact that data synchronisation was switched on, which no API tells. The zero value says that nobody
// knows of it yet.
type Opening struct {
	At       time.Time `json:"at,omitzero"`
	By       string    `json:"by,omitzero"`       // the person who declared it; empty if it was observed
	Evidence string    `json:"evidence,omitzero"` // what was seen, or what the person said
}

// An Override is a person's decision to close a window before its least time. It counts with a name and a reason, and is
// for the journal to keep. It does not make a difference in the history go away.
type Override struct {
	By     string    `json:"by,omitzero"`
	Reason string    `json:"reason,omitzero"`
	At     time.Time `json:"at,omitzero"`
}

func (o Override) counts() bool { return o.By != "" && o.Reason != "" && !o.At.IsZero() }

// WindowFacts are what is known about a window. They are plain data, for a journal, so that a restart decides as before.
type WindowFacts struct {
	Opening Opening `json:"opening,omitzero"`
	Devices int     `json:"devices"` // those whose history the window is for
	// Sample is how many of them, taken by chance, are enough from the least time on, where the quotas leave no time for more: see
	// [SampleSize]. Zero means all of them.
	Sample int `json:"sample,omitzero"`
	// Span is how much history before the end of the comparison is enough; zero means all since the window opened.
	Span time.Duration `json:"span,omitzero"`
	// Lag is how long a row may take to arrive: what is younger is not compared, so that a comparison may be older by as much.
	Lag time.Duration `json:"lag,omitzero"`
	// Quiet is for how long the devices may report nothing at all at the end of a comparison; zero is [FreshFor]. Silence may
	// also mean that this machine's clock is ahead, so that the window is not as old as it seems.
	Quiet time.Duration `json:"quiet,omitzero"`
	// Compared is what the last whole comparison found; its zero value says that there was none.
	Compared Difference `json:"compared,omitzero"`
	Override Override   `json:"override,omitzero"`
}

// A Phase is where a window is.
type Phase string

// The phases of a window.
const (
	NotOpened Phase = "not opened" // data synchronisation is not known to run
	Waiting   Phase = "waiting"    // it may not close yet
	Closable  Phase = "closable"   // it may close: the rest of the devices may move
	Overdue   Phase = "overdue"    // its time is over without proof: the rest must not move
)

// A WindowDecision says whether a window may close.
type WindowDecision struct {
	Phase Phase `json:"phase"`
	// Earliest is when the least time is over, and Ends when the longest is. Both are zero while the window is not opened.
	Earliest time.Time `json:"earliest,omitzero"`
	Ends     time.Time `json:"ends,omitzero"`
	// Todo says in sentences what still has to happen before it may close; empty if it may.
	Todo []string `json:"todo,omitempty"`
	// Unproven are those of them that the comparison has to show, whatever the time.
	Unproven []string `json:"unproven,omitempty"`
}

// Decide says at a time whether the window may close. It may from Min on, when a comparison of all devices that is not older
// than [FreshFor] found that the target has all that the source still holds; before Min only with an [Override] besides. A sample
// is enough at Max, and from Min on if that is so agreed; without it the window is overdue at Max. Decide looks at nothing but its
// arguments. Its error is that of [Window.Check].
func (w Window) Decide(f WindowFacts, now time.Time) (WindowDecision, error) {
	if err := w.Check(); err != nil {
		return WindowDecision{}, err
	}
	if f.Opening.At.IsZero() {
		return WindowDecision{Phase: NotOpened, Todo: []string{
			"Enable data synchronisation in the console, then let it be observed, or declare by name since when it runs.",
		}}, nil
	}
	w = w.filled()
	d := WindowDecision{Earliest: f.Opening.At.Add(w.Min), Ends: f.Opening.At.Add(w.Max)}
	over := !now.Before(d.Ends)
	early := now.Before(d.Earliest)
	if early && !f.Override.counts() {
		d.Todo = append(d.Todo, fmt.Sprintf("Wait until %s, or record who closes the window before its least time of %s, and why.",
			stamp(d.Earliest), inDays(w.Min)))
	}
	d.Unproven = f.unproven(now, f.enough(early && f.Override.counts(), over))
	d.Todo = append(d.Todo, d.Unproven...)
	switch {
	case len(d.Todo) == 0:
		d.Phase = Closable
	case over:
		d.Phase = Overdue
	default:
		d.Phase = Waiting
	}
	return d, nil
}

// enough is how many devices have to be compared: to close early, all of them.
func (f WindowFacts) enough(early, over bool) int {
	switch {
	case over:
		return min(f.Devices, 1)
	case !early && f.Sample > 0:
		return min(f.Devices, f.Sample)
	}
	return f.Devices
}

// unproven says what is missing in the proof that the target has the history of enough devices.
func (f WindowFacts) unproven(now time.Time, enough int) []string {
	c := f.Compared
	covered := c.Devices + c.AbsentSource
	if covered+c.AbsentTarget == 0 && f.Devices > 0 {
		return []string{"Compare the history of both instances: it has not been compared yet."}
	}
	var todo []string
	say := func(format string, args ...any) { todo = append(todo, fmt.Sprintf(format, args...)) }
	if !c.Empty() {
		say("%s", c.behind())
	}
	if left := f.Devices - covered - c.AbsentTarget; left > 0 && (covered+c.AbsentTarget < enough || c.Devices == 0) {
		say("Compare the other %d of %d devices: a sample does not close a window %s.", left, f.Devices, f.until())
	}
	if c.Devices == 0 {
		return todo
	}
	if c.Until.Before(now.Add(-FreshFor - f.Lag)) {
		say("Compare again: the last comparison ends at %s, more than %s ago.", stamp(c.Until), inDays(FreshFor+f.Lag))
	}
	if c.From.After(f.Opening.At.Add(time.Hour)) && c.Until.Sub(c.From) < f.span() {
		say("Compare from %s on: the last comparison begins at %s, after the window.", stamp(f.Opening.At), stamp(c.From))
	}
	if f.Silent() {
		say("See that devices report, and that the clock of this machine is right: at the end of the comparison, for %s up to %s, no row is on both instances.",
			inDays(f.quiet()), stamp(c.Until))
	}
	return todo
}

// until says what a sample cannot bring forward.
func (f WindowFacts) until() string {
	if f.Sample > 0 {
		return "before its least time"
	}
	return "before its end"
}

// span is how much history is enough.
func (f WindowFacts) span() time.Duration {
	if f.Span > 0 {
		return f.Span - time.Hour
	}
	return iot.HistoryKept - time.Hour
}

func (f WindowFacts) quiet() time.Duration {
	if f.Quiet == 0 {
		return FreshFor
	}
	return f.Quiet
}

// Silent reports whether no row was found at the end of the comparison for longer than Quiet. Then it proves nothing of that time.
func (f WindowFacts) Silent() bool {
	c := f.Compared
	return c.Devices > 0 && c.Empty() && (c.Newest.IsZero() || c.Newest.Add(time.Hour).Before(c.Until.Add(-f.quiet())))
}

// behind says what the target lacks, and how far it has come.
func (d Difference) behind() string {
	s := fmt.Sprintf("Wait for data synchronisation, or look why it does not go on: of what the source holds, the target lacks %d rows, has another value in %d, and lacks %d devices",
		d.Missing, d.Different, d.AbsentTarget)
	if d.Newest.IsZero() {
		return s + "; nothing has arrived so far."
	}
	return s + fmt.Sprintf("; the newest hour of which something has arrived is %s.", stamp(d.Newest))
}
