// Package aliyun reaches the real platform: both instances of an account and what moves devices between them, through
// the contracts of package iot. [Open] does not call anybody; a [Client] is safe for concurrent use.
package aliyun
