package document

import "workman/dispatch"

// AppendAttempts appends the attempts of a run that failed, as a JSON array: what "attempts" is in its document. It
// returns dispatch.ErrStored, and nothing appended, for a history that this version does not understand.
func AppendAttempts(dst, history []byte) ([]byte, error) {
	attempts, err := dispatch.Attempts(history)
	if err != nil {
		return dst, err
	}
	if len(attempts) == 0 {
		return append(dst, "[]"...), nil
	}
	const member = `,"attempts":`
	start := len(dst)
	dst = appendAttempts(dst, attempts)
	return append(dst[:start], dst[start+len(member):]...), nil
}
