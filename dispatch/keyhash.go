package dispatch

// KeyHash is the key of TableKeys for an idempotency key of a task.
func KeyHash(task, key []byte) [16]byte { return hashOf(task, []byte{0}, key) }
