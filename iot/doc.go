// Package iot is the vocabulary of iotferry: devices, products and instances of Alibaba Cloud IoT
// Platform, and the small interfaces through which the other packages reach them. It imports the
// standard library only.
//
// # Contracts
//
// Every interface here is implemented by a driver: the adapter of the real platform, the platform in
// memory, or one of your own. A driver
//
//   - classifies every error with a [Kind] and never retries: the caller decides;
//   - obeys its context: when it is done before the call starts, nothing is sent;
//   - reads pages as [iter.Seq2]: on an error it yields the zero value and the error once, and ends;
//     it stops fetching when the loop breaks; ranging again starts anew;
//   - keeps the platform's limits: it asks its [Pacer] before each request, and refuses with
//     [Invalid] what is known to exceed a batch limit, sending nothing;
//   - is safe for concurrent use.
package iot
