// Package tslsync compares what two instances know of devices: their thing models and their history.
//
// # Models
//
// [Parse] reads a published thing model, [Diff] compares two, and [DiffVersions] all versions that a product has published.
// Each [Change] says what is different, whether it breaks a device or a caller, and why. The order of features, white space
// and the way in which a number is written make no difference. An [Index] finds data types by identifier, and
// [EqualValue] compares two values of a data type.
//
// Migration takes thing models along, so a difference is a reason to look. Where the platform does not document
// what it refuses, a change counts as breaking: a warning costs less than a device whose reports vanish.
//
// # History
//
// The other half of the package reads what devices reported in the last 30 days from both instances, says what is missing at
// the target, and decides when the window in which data synchronisation runs may close.
package tslsync
