package fleet

import "github.com/iotferry/iotferry/iot"

// maxLabels is the most labels that a device can have on the platform.
const maxLabels = 100

func (w *walker) devices(dst *[]Device) reader {
	var d Device
	members := []member{
		{"productKey", false, w.checked(&d.ID.ProductKey, iot.CheckProductKey)},
		{"deviceName", false, w.checked(&d.ID.DeviceName, iot.CheckDeviceName)},
		{"deviceSecret", true, w.secret(&d.Secret)},
		{"status", false, word(w, &d.Status, iot.Online, iot.Offline, iot.Unactive, iot.Disabled)},
		{"gateway", true, w.gateway(&d.Gateway)},
		{"reconnects", true, w.flag(&d.Reconnects)},
		{"distributed", true, w.flag(&d.Distributed)},
		{"labels", true, w.labels(&d.Labels)},
	}
	return rows(w, dst, &d, Device{Reconnects: true}, members, func() error { return nil })
}

func (w *walker) gateway(dst *iot.DeviceID) reader {
	var s string
	read := w.text(&s)
	return func() error {
		if err := read(); err != nil {
			return err
		}
		id, err := iot.ParseDeviceID(clip(s)) // what clip shortens is too long for a device
		if err != nil {
			return w.fault("%v", err)
		}
		*dst = id
		return nil
	}
}

func (w *walker) labels(dst *map[string]string) reader {
	return func() error {
		if err := w.open('{', "an object"); err != nil {
			return err
		}
		labels := make(map[string]string)
		var value string
		read := w.text(&value)
		err := w.freeFields(func(name string) error {
			err := read()
			labels[name] = value
			return err
		})
		if err != nil {
			return err
		}
		if len(labels) > maxLabels {
			return w.fault("%d labels: a device has at most %d", len(labels), maxLabels)
		}
		if len(labels) > 0 {
			*dst = labels
		}
		return nil
	}
}
