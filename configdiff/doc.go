// Package configdiff compares the configuration of the source with that of the target, and says in words what does not come along
// with a migration, or did not: rules with their actions, data-forwarding parsers, consumer groups, subscriptions, thing models,
// scripts, labels, groups of devices, device jobs, update batches, scenes and shadows.
//
// There are two moments. [Before] a migration it foretells what will be missing, what gets a new ID, and what the target cannot have
// at all, such as MNS subscriptions. [After] it, or while it runs, it says what is different. Both only read.
//
// [Read] takes what one instance has; [Compare] is pure. What is compared is what matters to those who use it: the order of lists, the
// form of JSON, and IDs that each instance gives out by itself make no difference; an ID of a consumer group in an action counts as the
// group that it names.
//
// # Devices
//
// Labels, shadows and members of groups are read by device, as a stream. A million of them take hours at the platform's quotas, so
// beyond [Options].Budget an even sample is read, and the report says of which size. A device that moved has left its labels behind, where
// nobody can read them any more: whoever wants them compared, or carried, keeps them before, by [Options].Keep.
package configdiff
