package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
)

// members are a JSON object, by the names on the wire.
type members map[string]any

// writeAnswer sends the answer of a call that was a success.
func writeAnswer(w http.ResponseWriter, id string, m members) {
	out := members{"RequestId": id, "Success": true, "Code": ""}
	for name, value := range m {
		out[name] = value
	}
	write(w, http.StatusOK, out)
}

// writeRefusal sends an error: one of the gateway if its HTTP status says so, else one of the API.
func writeRefusal(w http.ResponseWriter, host, id string, e *fake.APIError) {
	if e.HTTPStatus < 400 || e.HTTPStatus > 599 {
		write(w, http.StatusOK, members{"RequestId": id, "Success": false, "Code": e.Code, "ErrorMessage": e.Message})
		return
	}
	write(w, e.HTTPStatus, members{"RequestId": id, "HostId": host, "Code": e.Code, "Message": e.Message})
}

func write(w http.ResponseWriter, status int, m members) {
	body, err := json.Marshal(m)
	if err != nil { // only an answer that a fault has altered: the ID of a rule is no number
		status, body = http.StatusInternalServerError, fmt.Appendf(nil, `{"Code":"InternalError","RequestId":%q}`, m["RequestId"])
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // if the client is gone, nobody else is interested
}

// rows makes the list of an answer, which is never null.
func rows[F, R any](list []F, row func(F) R) []R {
	out := make([]R, 0, len(list))
	for _, x := range list {
		out = append(out, row(x))
	}
	return out
}

// same is a row that looks on the wire as it is.
func same[R any](row R) R { return row }

// utc writes a time as the Utc… fields do; empty for none.
func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// millis writes a time in milliseconds since 1970; 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
