package protocol

// The types of the problems that workman's own service adds; those of refusals are in the table in encode.go. A path or
// a method that is not there has none beyond its status.
const (
	ProblemBadPath = "urn:workman:problem:bad-path" // 400: percent-encoding that is none
	ProblemBadTime = "urn:workman:problem:bad-time" // 400: {when} is no time
	ProblemBadJSON = "urn:workman:problem:bad-json" // 400: the body is not JSON
	ProblemBadName = "urn:workman:problem:bad-name" // 400: {name} cannot be a task's name
)
