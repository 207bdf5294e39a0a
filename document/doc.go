// Package document writes what people and programs are shown of runs, and of what went wrong, as JSON: the documents of
// docs/protocol.md. It is pure, and any goroutine may call it. The wire (protocol) and the pages (console) share it, so
// that a run looks the same wherever it is shown.
//
// Functions append to dst and return it, like append. Where they return an error, what they return beside it is dst as it
// came.
package document
