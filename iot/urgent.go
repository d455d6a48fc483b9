package iot

import "context"

type urgentKey struct{}

// Urgent returns a context for reads that must not wait behind others, such as those of devices that are on
// their way back to the source. A [Pacer] may keep a part of a quota for them; it never lets more through in all.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

// IsUrgent reports whether ctx comes from [Urgent].
func IsUrgent(ctx context.Context) bool { return ctx.Value(urgentKey{}) != nil }
