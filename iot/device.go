package iot

import (
	"fmt"
	"strings"
	"time"
)

// A DeviceID names one device: the key of its product and its name in it. Both stay as they are
// when the device moves to another instance. The zero value names nothing.
type DeviceID struct {
	ProductKey string `json:"productKey"`
	DeviceName string `json:"deviceName"`
}

// String returns "productKey/deviceName", the form that [ParseDeviceID] reads. Neither part can
// hold a slash, so the form is unique.
func (id DeviceID) String() string { return id.ProductKey + "/" + id.DeviceName }

// IsZero reports whether id names nothing.
func (id DeviceID) IsZero() bool { return id == DeviceID{} }

// Compare orders devices by product key, then by name, as bytes. It returns -1, 0 or 1.
func (id DeviceID) Compare(other DeviceID) int {
	if c := strings.Compare(id.ProductKey, other.ProductKey); c != 0 {
		return c
	}
	return strings.Compare(id.DeviceName, other.DeviceName)
}

// Check returns an [Invalid] error if the product key or the device name is not one the platform
// could have given out.
func (id DeviceID) Check() error {
	if err := CheckProductKey(id.ProductKey); err != nil {
		return err
	}
	return CheckDeviceName(id.DeviceName)
}

// ParseDeviceID reads the form "productKey/deviceName". Its errors are [Invalid].
func ParseDeviceID(s string) (DeviceID, error) {
	pk, dn, ok := strings.Cut(s, "/")
	if !ok {
		return DeviceID{}, invalid("%q is not of the form productKey/deviceName", clip(s))
	}
	id := DeviceID{ProductKey: pk, DeviceName: dn}
	if err := id.Check(); err != nil {
		return DeviceID{}, err
	}
	return id, nil
}

const productKeyLen = 11

// CheckProductKey returns an [Invalid] error unless key is 11 characters of A-Z, a-z and 0-9.
func CheckProductKey(key string) error {
	if len(key) != productKeyLen || strings.IndexFunc(key, notAlphanumeric) >= 0 {
		return invalid("product key %q is not %d characters of A-Z, a-z, 0-9", clip(key), productKeyLen)
	}
	return nil
}

// The limits of a device name: RegisterDevice.
const (
	MinDeviceNameLen = 4
	MaxDeviceNameLen = 32
)

// CheckDeviceName returns an [Invalid] error unless name is 4 to 32 characters of A-Z, a-z, 0-9 and
// -_@.: (RegisterDevice).
func CheckDeviceName(name string) error {
	if n := len(name); n < MinDeviceNameLen || n > MaxDeviceNameLen {
		return invalid("device name %q has %d characters, %d to %d are allowed",
			clip(name), n, MinDeviceNameLen, MaxDeviceNameLen)
	}
	if i := strings.IndexFunc(name, notInDeviceName); i >= 0 {
		return invalid("device name %q: only A-Z, a-z, 0-9 and -_@.: are allowed", name)
	}
	return nil
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

func notInDeviceName(r rune) bool {
	return notAlphanumeric(r) && !strings.ContainsRune("-_@.:", r)
}

// clip keeps hostile input from flooding an error message.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// A Status is the state of a device in the registry of an instance.
type Status string

// The platform's device states: ONLINE, OFFLINE, UNACTIVE and DISABLE.
const (
	Online   Status = "online"
	Offline  Status = "offline"
	Unactive Status = "unactive" // it never connected
	Disabled Status = "disabled" // refused until a person enables it
)

// A Device is one row of a product's device list.
type Device struct {
	ID     DeviceID
	Status Status
}

// A DeviceState is what one instance knows of a device now.
type DeviceState struct {
	ID     DeviceID
	Status Status
	// LastOnline is when the device last came online, by the platform's clock, in UTC; zero if it
	// never did or the platform does not tell.
	LastOnline time.Time
}

// A Credential is what a device signs in with.
type Credential struct {
	ID     DeviceID
	Secret Secret
}

func invalid(format string, args ...any) error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf(format, args...)}
}
