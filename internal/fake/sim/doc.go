// Package sim puts a platform in memory on sockets: OpenAPI, MQTT and AMQP, each with and without TLS, and the console as
// plain JSON over HTTP. [Start] listens, [Server.Endpoints] says where. Real clients of any language can work with
// it as they are.
//
// The CA is made at the start and its key thrown away; a client has to be told to trust its certificate. Signatures and
// certificates are checked by real time, whatever the platform's clock says.
//
// # Console
//
// The console is the operator's hand, and no part of the platform's API. It takes and gives JSON, without a login: whoever
// can reach it can act. Unknown fields and bodies over 20 MiB are refused. An error is {"error": reason, "detail": text} with a
// status of 4xx, or that of a fault.
//
//	POST /tasks {"productKey","targetInstanceId"}           {"taskId","state"}
//	POST /tasks/{id}/gray {"deviceNames":[...]}             {"taskId","state","results":[{"deviceName","status","code","message"}]}
//	POST /tasks/{id}/confirm                                {"taskId","state"}
//	POST /tasks/{id}/full                                   {"taskId","state"}
//	POST /tasks/{id}/rollback {"deviceNames":[...]}         as gray; without deviceNames all devices return
//	POST /tasks/{id}/datasync {"enabled":true}              {"taskId","state"}
//	POST /tasks/{id}/close                                  {"taskId","state"}
//	GET  /tasks                                             {"tasks":[{"taskId","productKey","targetInstanceId","state","moved",...}]}
//
// The others concern what nobody could do or see on the real platform:
//
//	GET  /devices/{productKey}/{deviceName}                 {"instance","online","gateway","lastSeen",...}, the truth
//	GET  /devices/{productKey}                              {"devices":[...]}, all of a product
//	GET  /calls                                             {"calls":[{"kind","name","calls","throttled","failed"}]}
//	GET  /clock                                             {"now"}
//	POST /clock {"advance":"168h"}                          {"now"}, when all that this time brings has happened
//	GET  /faults                                            {"faults":[rule with "seen","done","over"]}
//	POST /faults {"faults":[rule, ...]}                     the same; replaces all rules, [] ends all faults
//	POST /amqp/drop                                         {}; cuts all AMQP clients off
//
// A clock that was put forward is ahead of its clients'. Who compares the platform's times with own ones has to know.
//
// An instance is its ID, and "" is the public one. A gateway is productKey/deviceName, and "" is none. Of a device,
// "status" is what its instance shows, "online" whether a device is behind that, "lastSeen" when it was last connected,
// null for never; "moved", "returned" and "kicked" count its moves away, its moves back, and how often one of them cut
// it off.
//
// # Faults
//
// A rule says which operations go wrong, and how:
//
//	{"name": "BatchGrayMigrationDevice", "after": 3, "count": 1, "lost": true}
//	{"kind": "api", "every": 10, "refuse": {"status": 400, "code": "Throttling.User"}}
//	{"name": "Connect", "device": "meter-0007", "refuse": {"code": "firmware without reconnect"}}
//	{"name": "BatchGetDeviceState", "instance": "", "drop": ["meter-0007"]}
//	{"name": "Pub", "lie": ["*"]}
//
// Which: "kind" is api, console or device; "name" that of an API, of an act (CreateTask, Gray, Confirm, Full, Rollback,
// DataSync, Close) or of what a device does (Connect, Answer); "instance" the ID of the instance that a call is sent to, ""
// for the public one and for calls that take none; "productKey"; "device" a name that the operation gives. What is left out
// matches all. Of the operations that match, the first "after" are left alone; of the rest every "every"-th is disturbed, from
// the first on, and "count" at most. The first rule that disturbs an operation decides, and rules after it do not
// count it. So the same operations in the same order always meet the same faults.
//
// How: "refuse" is the answer, and nothing happens: with a "status" from 400 on it is the gateway's, without one or with 200
// the API's own; a device that is refused does not connect, and does not try again by itself. "lost" cuts the connection
// after the effect. "delay" is how long the answer takes by the platform's clock, after the effect. "lie" names
// the devices to which nothing happens although the answer says so, and "drop" those that the answer leaves out;
// "*" is all of them. Lies are for BatchGrayMigrationDevice, Pub, SetDeviceProperty, InvokeThingService, Gray, Rollback
// and Connect; drops for BatchGrayMigrationDevice, BatchGetDeviceState, BatchQueryDeviceDetail, QueryDevice,
// QueryDeviceByStatus, GetThingTopo, Gray and Rollback.
package sim
