// Package mutation checks the tests. For each promise of the SDK, and for each rule that other tools paid for, it holds a
// deliberate breach and the test that has to notice it. It has no code, only tests: docs/testing.md says how to run them.
package mutation
