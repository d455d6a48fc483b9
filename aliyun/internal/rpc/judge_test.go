package rpc_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

func refusal(code, message string) string {
	body, _ := json.Marshal(map[string]any{"RequestId": "R-1", "Success": false, "Code": code, "ErrorMessage": message})
	return string(body)
}

func gatewayError(code, message string) string {
	body, _ := json.Marshal(map[string]any{"RequestId": "R-1", "HostId": "iot", "Code": code, "Message": message})
	return string(body)
}

// The codes that the platform documents, and those of its gateway that are known.
func TestKindsOfCodes(t *testing.T) {
	type kinds struct{ read, write iot.Kind }
	both := func(k iot.Kind) kinds { return kinds{k, k} }
	lost := kinds{iot.Transient, iot.UnknownOutcome}
	tests := []struct {
		kinds
		codes string // of an API, or of the gateway with its HTTP status before it
	}{
		{both(iot.Throttled), "400:Throttling 400:Throttling.User 503:Throttling.Api 429:Throttling.User Throttling.User iot.messagebroker.RateLimit"},
		{both(iot.Denied), `404:InvalidAccessKeyId.NotFound 400:InvalidAccessKeyId 403:InvalidAccessKeyId.Inactive 400:SignatureDoesNotMatch
			400:IncompleteSignature 400:InvalidTimeStamp.Expired 400:InvalidTimeStamp.Format 400:InvalidSecurityToken.Expired
			400:InvalidSecurityToken.Malformed 403:Forbidden.RAM 403:Forbidden 403:NoPermission
			iot.common.RamActionPermissionDeny iot.common.AuthActionPermissionDeny`},
		{lost, `500:InternalError 503:ServiceUnavailable 500:Unheard 502:X.Y 400:SignatureNonceUsed iot.system.SystemException
			iot.messagebroker.PublishMessageException iot.messagebroker.RrpcException iot.messagebroker.TIMEOUT`},
		{both(iot.NotFound), `iot.Sre.IotInstanceNotFound iot.prod.NotExistedProduct iot.device.NotExistedDevice iot.rule.NotFoundRule
			iot.device.DeviceApplyIsNotFound iot.prod.NotSeniorProduct 500:iot.device.NotExistedDevice`},
		{both(iot.Conflict), `iot.device.AlreadyExistedDeviceName iot.rule.RuleNameIsAlreadyExisted iot.device.TopoRelationCountExceeded
			iot.device.DeviceCountExceeded iot.rule.RuleCountExceedMax iot.device.CreateDeviceTaskIsRunning`},
		{both(iot.NotConnected), "iot.messagebroker.OFFLINE iot.messagebroker.HALFCONN iot.device.InactiveDevice"},
		{both(iot.Transient), `iot.common.QueryDeviceActionError iot.common.QueryDevicePropertyActionError iot.common.QueryProductActionError
			iot.prod.QueryProductListActionError iot.device.QueryDeviceListActionError iot.device.QueryDeviceStatusFailed
			iot.device.QueryDeviceStatisticsFailed iot.device.QueryTopoRelationFailed iot.device.QueryDeviceAttrDataHistoryFailed
			iot.device.QueryDeviceEventHistoryFailed iot.rule.QueryRulePageActionError iot.rule.QueryRuleActionListError`},
		{both(iot.Invalid), `iot.common.InvalidPageParams iot.common.InvalidTenant iot.prod.InvalidFormattedProductkey iot.prod.NullProductKey
			iot.device.InvalidFormattedDeviceName iot.device.InvalidIoTId iot.device.NullDeviceName iot.device.NoneDeviceNameElement
			iot.device.InvalidTimeBucket iot.device.NoneDeviceProperties iot.messagebroker.InvalidFormattedTopicName
			iot.messagebroker.MessageContentIsNotBase64Encode iot.messagebroker.NullMessageContent
			iot.messagebroker.InvalidTimeoutValue iot.rule.IncorrentRuleId 404:InvalidAction.NotFound 404:InvalidVersion
			400:MissingProductKey 400:InvalidParameter.Format`},
		{both(iot.Unclassified), `iot.device.InvokeThingServiceFailed iot.device.SetDevicePropertyFailed iot.messagebroker.PublishMessageFailed
			iot.device.AddTopoRelationFailed iot.prod.NotOpenID2Service iot.something.New 400:Unheard 418:Unheard`},
	}
	for _, test := range tests {
		for _, code := range strings.Fields(test.codes) {
			t.Run(code, func(t *testing.T) {
				status, body := 200, refusal(code, "words")
				if before, after, ok := strings.Cut(code, ":"); ok {
					code = after
					if _, err := fmt.Sscan(before, &status); err != nil {
						t.Fatal(err)
					}
					body = gatewayError(code, "words")
				}
				c := open(t, rpc.Config{Transport: answering(status, body)})
				for _, made := range []struct {
					rpc.Call
					want iot.Kind
				}{{reading, test.read}, {writing, test.write}} {
					e := expectError(t, c.Do(t.Context(), made.Call, nil), made.API, made.want)
					if e.Code != code || e.Message == "" {
						t.Errorf("code %q and message %q, want %q and words", e.Code, e.Message, code)
					}
				}
			})
		}
	}
}

// An HTTP status alone never makes a success, and never says that nothing happened.
func TestAnswersThatAreNotThePlatforms(t *testing.T) {
	const html = "<html><body>Real 502</body></html>"
	for name, body := range map[string]string{
		"nothing": "", "HTML": html, "a list": "[]", "null": "null", "a text": `"Real"`, "cut": `{"Success":true,"Da`, "two": `{"Success":true}{}`,
		"empty": "{}", "another API's": `{"error":"Real","status":1}`, "Success is neither": `{"Success":"perhaps Real"}`,
		"a mark before it": "\ufeff" + fine, "Success is a list": `{"Success":[true]}`, "success in another case": `{"success":true}`,
		"Success is null": `{"Success":null,"Code":""}`, "binary": "\x1f\x8b\x08\x00",
	} {
		for _, status := range []int{200, 204, 206, 302, 307, 400, 403, 404, 408, 429, 500, 502, 503, 504, 599, 0, 999} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				c := open(t, rpc.Config{Transport: answering(status, body)})
				if name == "Success is neither" && status/100 == 2 {
					expectError(t, c.Do(t.Context(), writing, nil), writing.API, iot.Unclassified)
					return
				}
				expectError(t, c.Do(t.Context(), reading, nil), reading.API, iot.Transient)
				expectError(t, c.Do(t.Context(), writing, nil), writing.API, iot.UnknownOutcome)
			})
		}
	}
}

func TestSuccessNeedsSuccessAndStatus(t *testing.T) {
	for _, body := range []string{fine, `{"Success":true}`, `{"Success":"true","Code":"x"}`, `{"Success":true,"RequestId":null}`} {
		for status, ok := range map[int]bool{200: true, 201: true, 299: true, 300: false, 302: false, 400: false, 500: false} {
			err := open(t, rpc.Config{Transport: answering(status, body)}).Do(t.Context(), reading, nil)
			if (err == nil) != ok {
				t.Errorf("%s with status %d: got %v", body, status, err)
			}
		}
	}
	err := open(t, rpc.Config{Transport: answering(200, `{"Success":false}`)}).Do(t.Context(), reading, nil)
	expectError(t, err, reading.API, iot.Unclassified)
}

func TestWhatRefusalsSay(t *testing.T) {
	quoted := "Specified signature is not matched with our calculation. server String To Sign is:POST&%2F&AccessKeyId%3D" + keyID + "%26SecurityToken%3D" + token
	tests := map[string]struct{ status, body, want string }{
		"the platform's words":     {"200", refusal("iot.x.New", "指定的产品不存在"), "QueryProduct: 指定的产品不存在 (iot.x.New)"},
		"the gateway's words":      {"403", gatewayError("Forbidden.RAM", "User not authorized."), "QueryProduct: User not authorized. (Forbidden.RAM)"},
		"no words":                 {"200", refusal("iot.prod.NotExistedProduct", ""), "QueryProduct: not found (iot.prod.NotExistedProduct)"},
		"the string to sign":       {"400", gatewayError("SignatureDoesNotMatch", quoted), "QueryProduct: the signature does not match: check the access key's secret (SignatureDoesNotMatch)"},
		"the same of another code": {"400", gatewayError("iot.x.New", quoted), "QueryProduct: Specified signature is not matched with our calculation. server [redacted] (iot.x.New)"},
		"secrets":                  {"200", refusal("iot.x.New", keySecret+" and "+token), "QueryProduct: [redacted] and [redacted] (iot.x.New)"},
		"secrets of a query":       {"200", refusal("iot.x.New", "x=CAIS%2FNot%2BA%2FReal%3DToken, y=CAIS%252FNot%252BA%252FReal%253DToken"), "QueryProduct: x=[redacted], y=[redacted] (iot.x.New)"},
		"several lines":            {"200", refusal("iot.x.New", "a\r\n\tb\x1b[31m\u202ec\u0000"), "QueryProduct: a b [31m c (iot.x.New)"},
		"a long text":              {"200", refusal("iot.x.New", strings.Repeat("系", 200)), "QueryProduct: " + strings.Repeat("系", 100) + "… (iot.x.New)"},
		"an endless code":          {"200", refusal(strings.Repeat("x", 101), "words"), "QueryProduct: words"},
		"no code":                  {"200", refusal("no code \n at all", "words"), "QueryProduct: words"},
		"a number as code":         {"200", `{"Success":false,"Code":500,"ErrorMessage":"words"}`, "QueryProduct: words (500)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var status int
			if _, err := fmt.Sscan(test.status, &status); err != nil {
				t.Fatal(err)
			}
			err := open(t, rpc.Config{Transport: answering(status, test.body)}).Do(t.Context(), reading, nil)
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// Whatever the platform answers, an error is of a kind that the call can have, is one line of bounded length and shows
// no secret that was used to sign.
func FuzzRefusal(f *testing.F) {
	f.Add(400, "SignatureDoesNotMatch", "server string to sign is:", true)
	f.Add(200, "iot.prod.NotExistedProduct", "no such product", false)
	f.Add(503, "Throttling.User\n", "\u202e", true)
	f.Fuzz(func(t *testing.T, status int, code, message string, writes bool) {
		for _, secret := range []string{keySecret, token} {
			if strings.Contains(code+message, secret[:3]) {
				return
			}
		}
		for _, body := range []string{refusal(code, message+keySecret+token), gatewayError(code, token+message)} {
			call := rpc.Call{API: "Pub", Writes: writes}
			err := open(t, rpc.Config{Transport: answering(status, body)}).Do(t.Context(), call, nil)
			if err == nil {
				t.Fatalf("%d %s is no success", status, body)
			}
			kind, text := iot.KindOf(err), err.Error()
			if kind == iot.UnknownOutcome && !writes {
				t.Errorf("%s: a call that reads leaves nothing unknown", body)
			}
			if strings.Contains(text, keySecret) || strings.Contains(text, token) {
				t.Errorf("%q shows a secret", text)
			}
			if len(text) > 1000 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q is not one short line", text)
			}
		}
	})
}

// pacer records what a caller tells it.
type pacer struct{ told []string }

func (p *pacer) Throttled(api string) { p.told = append(p.told, "throttled "+api) }

func TestThePacerIsAskedAndTold(t *testing.T) {
	for code, want := range map[string][]string{
		"":                            {"wait QueryProduct", "credential", "sent"},
		"Throttling":                  {"wait QueryProduct", "credential", "sent", "throttled QueryProduct"},
		"Throttling.User":             {"wait QueryProduct", "credential", "sent", "throttled QueryProduct"},
		"iot.messagebroker.RateLimit": {"wait QueryProduct", "credential", "sent"}, // of one device, not of the API
		"iot.prod.NotExistedProduct":  {"wait QueryProduct", "credential", "sent"},
		"iot.x.NotSoThrottling":       {"wait QueryProduct", "credential", "sent"},
	} {
		p := &pacer{}
		body := fine
		if code != "" {
			body = refusal(code, "")
		}
		c := open(t, rpc.Config{
			Pacer: p, Credentials: noting(p, "credential"), Transport: noted(p, "sent", answering(200, body)),
		})
		if err := c.Do(t.Context(), reading, nil); (err == nil) != (code == "") {
			t.Errorf("%s: got %v", code, err)
		}
		if !slices.Equal(p.told, want) {
			t.Errorf("%q: got %q, want %q", code, p.told, want)
		}
	}
}
