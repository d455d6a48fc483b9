package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/tslsync"
)

// A printer shows differences as they are found.
type printer interface {
	model(productKey string, v tslsync.VersionDiff) error
	step(tslsync.Step) error
	end(tslsync.Difference) error
}

// table prints for people: one line for each hour in which an identifier of a device differs.
type table struct {
	w    io.Writer
	rows *tabwriter.Writer
}

func (t *table) model(productKey string, v tslsync.VersionDiff) error {
	name := fmt.Sprintf("Thing model of %s, version %s", productKey, show.Text(v.Version))
	says := ""
	switch {
	case !v.AtTarget:
		says = "the target does not have it."
	case !v.AtSource:
		says = "the source does not have it."
	case v.Same():
		says = "no difference."
	}
	if says != "" {
		_, err := fmt.Fprintf(t.w, "%s: %s\n", name, says)
		return err
	}
	for _, c := range v.Changes {
		if _, err := fmt.Fprintf(t.w, "%s: %s %s, %s to %s, breaks %s: %s\n",
			name, show.Text(c.Path), c.Kind, show.Text(c.From), show.Text(c.To), c.Breaks, show.Text(c.Why)); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) step(s tslsync.Step) error {
	for _, h := range s.Hours {
		if h.Agree() {
			continue
		}
		if _, err := fmt.Fprintf(t.columns(), "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", h.Device.DeviceName, h.Report, show.Text(h.Identifier),
			h.Start.Format("2006-01-02 15:04"), h.Equal, h.Missing, h.Extra, h.Different, h.Expired); err != nil {
			return err
		}
	}
	for _, side := range s.Absent {
		if _, err := fmt.Fprintf(t.columns(), "%s\tthe %s does not have the device\n", s.Cursor.Device.DeviceName, side); err != nil {
			return err
		}
	}
	return nil
}

// columns begins the table when there is something to put into it.
func (t *table) columns() io.Writer {
	if t.rows == nil {
		t.rows = tabwriter.NewWriter(t.w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t.rows, "\nDEVICE\tREPORT\tIDENTIFIER\tHOUR\tEQUAL\tMISSING\tEXTRA\tDIFFERENT\tEXPIRED")
	}
	return t.rows
}

func (t *table) end(d tslsync.Difference) error {
	if t.rows != nil {
		if err := t.rows.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(t.w, "\n%s compared in %s: %d rows equal, %d missing at the target, %d different, %d extra. %d of them differ.\n",
		show.Count(d.Devices, "device"), show.Count(d.Calls, "call"), d.Equal, d.Missing, d.Different, d.Extra, d.Differing)
	return err
}

// lines prints JSON Lines for programs: changes of models, hours that differ, and at last the sum.
type lines struct{ to *json.Encoder }

func newLines(w io.Writer) lines { return lines{json.NewEncoder(w)} }

func (l lines) model(productKey string, v tslsync.VersionDiff) error {
	for _, c := range v.Changes {
		if err := l.to.Encode(struct {
			Product string `json:"product"`
			Version string `json:"version"`
			tslsync.Change
		}{productKey, v.Version, c}); err != nil {
			return err
		}
	}
	return nil
}

func (l lines) step(s tslsync.Step) error {
	for _, h := range s.Hours {
		if h.Agree() {
			continue
		}
		if err := l.to.Encode(h); err != nil {
			return err
		}
	}
	return nil
}

func (l lines) end(d tslsync.Difference) error { return l.to.Encode(d) }
