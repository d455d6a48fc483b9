package iot

// A NodeType tells how the devices of a product connect.
type NodeType string

// The node types. The platform itself knows "device" and "gateway"; a driver tells a sub-device
// product from a direct one by the product's gateway protocol (QueryProduct.ProtocolType).
const (
	Direct    NodeType = "direct"
	Gateway   NodeType = "gateway"
	SubDevice NodeType = "subdevice"
)

// An Auth is how the devices of a product prove who they are.
type Auth string

// The ways of authentication. The platform's registry shows only whether a product uses secrets, ID²
// or X.509 (QueryProduct.AuthType): a driver reports [AuthSecret] for the first, and which of the three
// ways it is has to be declared by the product's owner.
const (
	AuthSecret                  Auth = "secret"                    // one of the next three; which, is not shown
	AuthPerDevice               Auth = "per-device"                // a certificate per device
	AuthPerProductPreregistered Auth = "per-product-preregistered" // a certificate per product, names registered before
	AuthPerProductFree          Auth = "per-product-free"          // a certificate per product, no registration
	AuthID2                     Auth = "id2"
	AuthX509                    Auth = "x509"
)

// A DataFormat is how the devices of a product speak.
type DataFormat string

// The data formats: custom topics, or the thing model's Alink protocol (QueryProduct.DataFormat 0 and 1).
const (
	Custom DataFormat = "custom"
	Alink  DataFormat = "alink"
)

// A Network is how the devices of a product reach the platform.
type Network string

// The networks. QueryProduct.NetType tells Wi-Fi, cellular, Ethernet and other apart; LoRaWAN and
// NB-IoT have to be declared by the product's owner.
const (
	WiFi     Network = "wifi"
	Cellular Network = "cellular"
	Ethernet Network = "ethernet"
	LoRaWAN  Network = "lorawan"
	NBIoT    Network = "nbiot"
	OtherNet Network = "other"
)

// A Feature is a use of the platform that keeps a product from being migrated.
type Feature string

// The features that block. No API shows them reliably: the product's owner declares them.
const (
	Authorized  Feature = "authorized"   // authorised to another account
	DataService Feature = "data-service" // used with the data service
	Video       Feature = "video"        // Link Visual is opened for it
	Edge        Feature = "edge"         // also connected to Link IoT Edge
	Living      Feature = "living"       // also connected to the Living platform
)

// A Product is one product as an instance shows it.
type Product struct {
	Key        string // 11 characters; stays the same on every instance
	Name       string // free text of its owner: escape it where it is shown
	NodeType   NodeType
	Auth       Auth
	DataFormat DataFormat
	Network    Network
	Devices    int // how many devices the instance holds of it
}
