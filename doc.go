// Package iotferry is the front page of a module that moves fleets of IoT devices from a legacy public instance to an
// Enterprise instance of Alibaba Cloud IoT Platform: in small batches, verified by observation, gateways together with
// their sub-devices, resumable at any moment, and reversible. The package itself holds no code.
//
// # Which package for which need
//
//   - To move a fleet: [github.com/iotferry/iotferry/migrate] surveys, plans, runs, resumes and reports.
//   - For the four scenarios of the platform's migration guide: [github.com/iotferry/iotferry/scenario].
//   - To write a strategy of your own: [github.com/iotferry/iotferry/migrate.NewStrategy], and docs/strategies.md.
//   - For what moved devices have to prove: [github.com/iotferry/iotferry/verify].
//   - For server code that calls devices while they move: [github.com/iotferry/iotferry/route], and docs/backends.md; to
//     consume the messages of both instances: [github.com/iotferry/iotferry/route/dual].
//   - For what a migration leaves behind or changes in rules, labels, groups and jobs: [github.com/iotferry/iotferry/configdiff];
//     to bring labels and groups: [github.com/iotferry/iotferry/carry].
//   - To keep a campaign's journal: [github.com/iotferry/iotferry/migrate/journal].
//   - To test strategies, verifiers, journals and your own program without a platform:
//     [github.com/iotferry/iotferry/migrate/migratetest].
//   - To connect a platform: the interfaces of [github.com/iotferry/iotferry/iot], kept within the platform's quotas by
//     [github.com/iotferry/iotferry/quota].
//   - For families, waves and calls on their own: [github.com/iotferry/iotferry/topology].
//   - For fleet files to try things on: [github.com/iotferry/iotferry/fleets].
//
// Runnable programs are in the folder examples.
//
// # Compatibility
//
// Before version 1 exported names may change between minor versions; CHANGELOG.md says which, and what to do. From
// version 1 on they follow the Go 1 promise: what compiles goes on compiling. Fields may be added to structs and values to
// sets of constants, so use field names in literals, and a default case in switches.
//
// What is stored outlives programs, and is stricter from the first release: plans and journals carry a version, a program
// reads all that earlier releases of its major version wrote, and refuses what it does not know. Names of stages, verifiers,
// strategies and kinds of entries never change. Texts for people, such as errors, reasons and log lines, may change at any time.
package iotferry
