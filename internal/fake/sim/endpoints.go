package sim

import (
	"encoding/json"

	"github.com/iotferry/iotferry/iot"
)

// Endpoints tell a client all that it needs.
type Endpoints struct {
	OpenAPI    string `json:"openapi"`    // http://
	OpenAPITLS string `json:"openapiTLS"` // https://
	MQTT       string `json:"mqtt"`       // tcp://, the public domain: it serves a device wherever it lives
	MQTTTLS    string `json:"mqttTLS"`    // tls://, the same
	MQTTTarget string `json:"mqttTarget"` // tcp://, the target's own domain
	AMQP       string `json:"amqp"`       // amqp://
	AMQPTLS    string `json:"amqpTLS"`    // amqps://
	Console    string `json:"console"`    // http://
	CAFile     string `json:"caFile"`     // certificate of the CA, in PEM; empty if none was asked for

	AccessKeyID      string     `json:"accessKeyId"`
	AccessKeySecret  iot.Secret `json:"accessKeySecret"` // only Line shows it
	UID              string     `json:"uid"`
	Region           string     `json:"region"`
	TargetInstanceID string     `json:"targetInstanceId"`

	MQTTTargetTLS string `json:"-"` // tls://, the target's own domain
}

// Line returns the endpoints as one line of JSON, with the access key's secret in it: give it to clients only.
func (e Endpoints) Line() []byte {
	line, _ := json.Marshal(struct { // texts always marshal
		Endpoints
		AccessKeySecret string `json:"accessKeySecret"`
	}{e, e.AccessKeySecret.Reveal()})
	return append(line, '\n')
}
