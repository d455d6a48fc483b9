// Package openapi speaks the platform's OpenAPI in front of a platform in memory, so that clients of any
// language can talk to it over HTTP without a change: calls in RPC style, version 2018-01-20, by GET or POST,
// with parameters in the query or in a form body, repeated ones as DeviceName.1, DeviceName.2, and so on.
// Answers are JSON with the field names and the nesting of the vendor's Go SDK, version 1.63.107.
//
// # Actions
//
// These are the APIs of package fake, all of them:
//
//   - products: QueryProductList, QueryProduct, QueryThingModelPublished, ListThingModelVersion;
//   - devices: QueryDevice, QueryDeviceByStatus, BatchGetDeviceState, BatchQueryDeviceDetail, QueryDeviceDetail,
//     GetDeviceStatus, QueryDeviceStatistics, RegisterDevice, QueryDeviceProp, SaveDeviceProp, GetDeviceShadow,
//     ListDistributedDevice;
//   - groups of devices: QueryDeviceGroupList, QueryDeviceGroupByDevice, QueryDeviceListByDeviceGroup, CreateDeviceGroup,
//     BatchAddDeviceGroupRelations;
//   - history: QueryDevicePropertyData, QueryDevicePropertiesData, QueryDeviceEventData, QueryDeviceServiceData;
//   - topology: GetThingTopo, GetGatewayBySubDevice;
//   - commands: Pub, RRpc, InvokeThingService, SetDeviceProperty;
//   - forwarding: ListRule, GetRule, ListRuleActions, ListParser, GetParser, ListDataSourceItem, ListParserDestination, GetThingScript,
//     CreateConsumerGroup, QueryConsumerGroupList,
//     QueryConsumerGroupStatus, QuerySubscribeRelation, CreateSubscribeRelation, UpdateSubscribeRelation;
//   - what is under way: ListJob, QuerySceneRule, ListOTAFirmware, ListOTAJobByFirmware, ListOTATaskByJob;
//   - moving: BatchGrayMigrationDevice.
//
// Every other action is answered with InvalidAction.NotFound: among them QueryDeviceInfo, QueryDeviceBySQL,
// DeleteDevice, DisableThing and EnableThing, changes of the topology, BatchPub, PubBroadcast, changes of the
// shadow, of parsers, of jobs and of update batches, dynamic groups, and device distribution as an act.
//
// IotInstanceId chooses the instance: none for the legacy public one, the ID for each other. An ID that is
// wrong is answered with iot.Sre.IotInstanceNotFound, and a product of another instance with
// iot.prod.NotExistedProduct. BatchGrayMigrationDevice and ListDistributedDevice take no instance.
//
// # Errors
//
// Errors of an API come with HTTP 200, Success=false, Code and ErrorMessage; package fake decides them. Two
// are found here, as they concern the wire: iot.messagebroker.NullMessageContent and
// iot.messagebroker.MessageContentIsNotBase64Encode.
//
// Errors of the gateway come with an HTTP status from 400 on, Code, Message, RequestId and HostId. The
// facts about the platform name Throttling.User, HTTP 400, which package fake decides. The following are general
// knowledge of the vendor's RPC gateway and not documented for this product:
//
//   - 404: InvalidAction.NotFound, InvalidVersion, InvalidAccessKeyId.NotFound;
//   - 400: MissingX for a parameter X that is needed, InvalidParameter.Format for a format other than JSON,
//     InvalidTimeStamp.Format, InvalidTimeStamp.Expired (15 minutes, in both directions), SignatureNonceUsed,
//     SignatureDoesNotMatch;
//   - 405: UnsupportedHTTPMethod.
//
// These are this package's own, for what the gateway does is not known: InvalidX for a value of parameter X
// that cannot be read, UnsupportedX for a parameter of the platform that would change the answer and that package fake does
// not have (such as IotId in place of a name, or a filter), InvalidRequest for a query or a body that cannot be
// read or gives a parameter twice, RequestTooLarge (413), and InternalError (500) for a fault that is no
// error of the platform. No error tells the key's secret, a signature or the text that was signed.
//
// A call is checked in this order: size and form, version and action, the common parameters, key, signature,
// timestamp, nonce, the action's own parameters, quota. Only a call that passes all but the quota counts against it.
//
// An answer that package fake loses cuts the connection, and nothing is sent.
//
// # Differences from the platform
//
//   - Answers are JSON even if no Format is given. XML, bearer tokens and signature versions other than 1.0
//     with HMAC-SHA1 are refused. A SecurityToken is covered by the signature, and not checked.
//   - There is one key, and it may do everything. Domain and RegionId are not looked at.
//   - Fields that package fake does not know are left out: local times (Gmt…), nicknames, firmware versions, the
//     consumption rates of a group.
//   - Times in text are UTC to the millisecond, 2006-01-02T15:04:05.000Z, and empty if there is none; the form
//     of LastOnlineTime, LastConsumerTime and CreateTime is not documented.
//   - ListJob's Data is an object with a list, data. The vendor's Go client knows a single job in its place.
//   - MnsConfiguration is the queue's name, not a JSON object.
//   - The fields of Pub that are about MQTT 5 have no effect, as the devices speak MQTT 3.1.1; user properties
//     (UserProp) must be well-formed.
//   - The MessageId of RRpc is the fake's without its highest bit: clients read 64 bits with a sign.
package openapi
