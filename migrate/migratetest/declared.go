package migratetest

import (
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// declare returns all that a fleet file says and no API shows, about the products of the legacy
// public instance and the first Enterprise instance of the file.
func declare(f *fleet.Fleet) migrate.Declared {
	d := migrate.Declared{Products: map[string]migrate.DeclaredProduct{}}
	source := ""
	for _, i := range f.Instances {
		switch {
		case i.Type == iot.PublicLegacy:
			source = i.ID
		case d.TargetOnlineQuota == 0:
			d.TargetOnlineQuota = i.OnlineQuota
		}
	}
	for _, p := range f.Products {
		if p.Instance == source {
			d.Products[p.Key] = migrate.DeclaredProduct{Auth: p.Auth, Network: p.Network, Features: p.Features}
		}
	}
	for _, dev := range f.Devices {
		if _, ok := d.Products[dev.ID.ProductKey]; !ok {
			continue
		}
		if !dev.Reconnects {
			d.NoReconnect = append(d.NoReconnect, dev.ID)
		}
		if len(dev.Labels) > 0 {
			d.Labelled = append(d.Labelled, dev.ID)
		}
	}
	return d
}
