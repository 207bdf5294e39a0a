package callback

var (
	Sign       = sign
	Backoff    = backoff
	RetryAfter = retryAfter
	Public     = public
)
