// Package verify holds ready-made verifiers: what a moved device has to prove, and how it is observed.
//
// Every verifier looks once and does not wait. It passes a device on evidence only: never because a call was
// accepted, and never because nothing spoke against it. What may still come (a device that reconnects,
// a status index that lags, an answer that is under way) is [migrate.Inconclusive]; the runner asks again until the
// stage's deadline. [migrate.Fail] is sticky, so it is kept for what looking again cannot heal.
//
// # Rules that all verifiers keep
//
//   - They look at all devices they are asked about. [Sampled], [Only] and [Shadow] are the ways to
//     weaken one, and its name or its evidence says so.
//   - Findings come in an order that depends on the subject only.
//   - An error of the platform is yielded as an error: the devices concerned get no finding. They go on with the
//     rest, unless the platform throttles or denies, or the context is done.
//   - They leave no goroutines behind, and are safe for concurrent use.
//   - A configuration that cannot work, such as a missing sink, is an [iot.Invalid] error of each look.
//     Nothing passes.
//
// # Clocks
//
// Moves are dated by the runner's clock, sessions and messages by the platform's. Where the two are
// compared, a Skew says how far the platform's clock may be behind: [DefaultSkew] if it is zero, none if it is
// negative.
package verify
