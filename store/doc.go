// Package store keeps operations on a sorted map of bytes durable: what it told to be durable survives kill -9 and a
// power cut at any moment, and what it finds after one is exactly that, plus possibly some of what it had not told yet.
// It knows nothing of tasks: its user says what each [Table] is for.
//
// [Open] opens a folder, and only one process can have it open. [Store.Append] takes a [Batch] of operations, gives it a
// number and returns at once. When the batch is durable, [Config].Told is called with its number, in order, and
// [Store.Wait] returns. A batch is kept whole or not at all. [Store.Get] and [Store.Scan] see what has been told.
//
// Inside, a journal stands in front of a Pebble database:
//
//   - One goroutine, the committer, takes what has gathered and writes it with one synced write as one frame of the
//     journal. Meanwhile the next batches gather: a slow disk costs latency, not throughput.
//   - The journal is a row of segments, files of one size that are zeroed once and used again and again. A commit never
//     changes a file's length nor its place on the disk, so that it costs one write and no more.
//   - What a segment holds is in memory too, as a memtable, which answers reads. A full segment is sealed and becomes
//     sorted tables, which Pebble takes in one atomic step together with the segment's number, the watermark. Then the
//     segment is free. When none is free, commits wait.
//   - After a crash the segments behind the watermark are read again. What was damaged, rather than only interrupted, is
//     recognised and refused ([ErrDamaged]): nothing is skipped in silence. docs/durability.md has the rules.
//
// With [Config].Async a batch is told when the operating system has it, and the journal is synced a moment later. When the
// disk is nearly full, Config.Space is called; when it is full, commits wait, and go on when it is not. [Store.Backup] makes
// a second folder while the store goes on. [MemoryConfig] is for a store without a disk.
//
// If a write fails, nothing is acknowledged any more and nothing is tried again, since a second fsync may succeed without
// having written what the first could not: the store has failed ([ErrFailed]), and reads go on.
//
// Memory is bounded: by Config.MaxPending for what is not durable yet, and by Config.Segments memtables of one segment
// each, of which one or two are in use unless Pebble cannot keep up. [Config.Memory] says what that comes to at worst: 500 MB
// with the defaults, where operations of 100 bytes and more take 250.
//
// All methods of [Store] may be called from any goroutine; a [Batch] is one goroutine's.
package store
