// Package rpc makes calls of the platform's OpenAPI. The vendor's core SDK signs and sends them. This package adds what
// that SDK lacks: contexts, safe concurrent use, verified HTTPS by default, a bound on answers, and errors that are
// classified by what a caller can do about them. A call is made once: nothing is retried, and no redirect is followed.
package rpc
