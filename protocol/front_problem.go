package protocol

// The types of the problems that workman's own service adds; those of refusals are in the table in encode.go. A path or
// a method that is not there has none beyond its status.
const (
	ProblemStarting = "urn:workman:problem:starting" // 503: the store is being opened
	ProblemBadPath  = "urn:workman:problem:bad-path" // 400: percent-encoding that is none
	ProblemBadTime  = "urn:workman:problem:bad-time" // 400: {when} is no time
	ProblemBadJSON  = "urn:workman:problem:bad-json" // 400: the body is not JSON
	ProblemBadName  = "urn:workman:problem:bad-name" // 400: {name} cannot be a task's name
	ProblemBadKey   = "urn:workman:problem:bad-key"  // 400: the idempotency key is none
	ProblemBadTerm  = "urn:workman:problem:bad-term" // 422: a term of a run, or another parameter, is unknown or has a bad value

	ProblemTooManyRuns = "urn:workman:problem:too-many-runs" // 413: over MaxBulk, or what is said of all of them is too much
	ProblemBadSchedule = "urn:workman:problem:bad-schedule"  // 422: the document of a schedule is not as it should be

	ProblemBadMessage = "urn:workman:problem:bad-message" // 400: a WebSocket message is JSON and still makes no sense
	ProblemTaskFailed = "urn:workman:problem:task-failed" // 502: a call's worker says that it failed
	ProblemStored     = "urn:workman:problem:stored"      // 500: what is stored of a run cannot be read

	ProblemRunFailed    = "urn:workman:problem:run-failed"    // 502: a run that was waited for is dead
	ProblemRunExpired   = "urn:workman:problem:run-expired"   // 504: it has expired
	ProblemRunCancelled = "urn:workman:problem:run-cancelled" // 409: it was cancelled
)
