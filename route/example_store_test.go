package route_test

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// devicePlaces keeps what is known of devices in a table of the backend's own MySQL:
// device_places(product_key, device_name, place, at), with the first two as its key.
type devicePlaces struct{ db *sql.DB }

var _ route.Store = devicePlaces{}

// Load implements route.Store.
func (p devicePlaces) Load(ctx context.Context) iter.Seq2[route.Fact, error] {
	return func(yield func(route.Fact, error) bool) {
		rows, err := p.db.QueryContext(ctx, "SELECT product_key, device_name, place, at FROM device_places")
		if err != nil {
			yield(route.Fact{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var id iot.DeviceID
			var place route.Place
			var at int64
			err := rows.Scan(&id.ProductKey, &id.DeviceName, &place, &at)
			if !yield(route.Fact{Device: id, Place: place, At: time.Unix(0, at)}, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(route.Fact{}, err)
		}
	}
}

// Save implements route.Store.
func (p devicePlaces) Save(ctx context.Context, facts []route.Fact) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, f := range facts {
		_, err := tx.ExecContext(ctx, "INSERT INTO device_places VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE"+
			" place = IF(VALUES(at) >= at, VALUES(place), place), at = GREATEST(at, VALUES(at))",
			f.Device.ProductKey, f.Device.DeviceName, f.Place, f.At.UnixNano())
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}
