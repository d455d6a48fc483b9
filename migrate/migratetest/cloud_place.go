package migratetest

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// Place returns where in the fleet file the subject of an issue stands, as a JSON path such as "products[2]",
// "devices[17]" or, for a quota that is too small, "instances[1].onlineQuota". It is empty for a subject that is not in
// the file.
func (c *Cloud) Place(i migrate.Issue) string {
	switch {
	case i.Family != nil:
		return c.placeOfDevice(*i.Family)
	case i.ProductKey != "":
		return c.placeOfProduct(i.ProductKey)
	}
	for n, instance := range c.fleet.Instances {
		switch {
		case instance.ID != i.Instance:
		case i.Code == migrate.CodeOnlineQuota:
			return fmt.Sprintf("instances[%d].onlineQuota", n)
		default:
			return fmt.Sprintf("instances[%d]", n)
		}
	}
	return ""
}

func (c *Cloud) placeOfDevice(id iot.DeviceID) string {
	for n, d := range c.fleet.Devices {
		if d.ID == id {
			return fmt.Sprintf("devices[%d]", n)
		}
	}
	return ""
}

func (c *Cloud) placeOfProduct(key string) string {
	for n, p := range c.fleet.Products {
		if p.Key == key {
			return fmt.Sprintf("products[%d]", n)
		}
	}
	return ""
}
