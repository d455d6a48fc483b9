// Package journal keeps the journals of campaigns: in files with [Open], in memory with [NewMemory].
// Both implement [migrate.Journal] and are safe for concurrent use.
//
// # Format
//
// A campaign is one file, <campaign>.jsonl, of JSON Lines: one entry per line, only ever appended. A line
// is the entry's own JSON with one or two more fields at its end:
//
//		{"seq":2,"fence":1,"at":"2024-05-06T07:08:09Z","kind":"runner","note":"host-a","sum":"817924cd5d09a9bf4c11a08632c31942"}
//
//	  - "batch": the first and the last sequence number of the entries that were appended together, as in
//	    [7,9]. Missing from entries that were appended alone.
//	  - "sum": the first 32 hexadecimal digits of the SHA-256 of two texts one after the other: the sum of
//	    the line before (nothing for the first line), and this line up to the comma before "sum". So every
//	    sum speaks for the whole file before it.
//
// Lines end in a line feed. An append holds at most [MaxAppend] bytes, and so does a line. Sums find
// accidents. They are no signature: who can write the file can make new ones.
//
// # Durability
//
// An append is one write and one fsync, however many entries it has. A crash can tear it: the file then ends
// in the middle of a line or of a batch, or has zero bytes for the sectors that the disk never wrote. Such a torn
// tail was never acknowledged. Readers leave it out, the next append removes it, and both log it.
// Everything else that does not fit is damage: the error is [migrate.ErrDamaged], it names the file and the
// line, and nothing is written any more. A disk that loses what it acknowledged cannot be told from a torn
// tail if only whole lines or the last batch are gone; [Summary] has the figures to compare with a copy.
//
// The file and its directory are also synced before a process's first append to a campaign. Windows cannot sync a directory; there the journal
// relies on the file system's own log for the file's name.
//
// # Several processes
//
// The file <campaign>.lock is locked during each append, and for a moment when a reader starts.
// So a status command, a person's decision and a runner can use one directory at the same time; who appends
// after an entry that is not the last gets [migrate.ErrConflict]. The lock is advisory and needs a
// local file system. Never remove it while a process uses the directory. A process that was stopped in the middle of an
// append keeps it: others give up after 30 s, with an error that names who has the lease.
//
// A runner has the campaign's lease from its start to its end: see [migrate.Leaser]. The file <campaign>.lease says who has
// it, and <campaign>.lease-1 is locked as long as that process lives. Each take-over locks a file with the next number.
package journal
