package protocol

import (
	"bytes"
	"net/http"
	"strconv"

	"workman/dispatch"
)

// MaxBulk is how many runs one request may ask for.
const MaxBulk = 10_000

// maxBulkTerms is how many bytes the terms of all runs of one request may have. They are said once, and stored with each.
const maxBulkTerms = 16 << 20

// bulkType is the media type of a request that asks for a run with each line of its body.
const bulkType = "application/x-ndjson"

var (
	tooManyRuns = &refusal{status: http.StatusRequestEntityTooLarge, typ: ProblemTooManyRuns,
		detail: "a request may ask for at most " + strconv.Itoa(MaxBulk) + " runs at once; ask for the others with further requests"}
	tooManyTerms = &refusal{status: http.StatusRequestEntityTooLarge, typ: ProblemTooManyRuns,
		detail: "what is said of the runs is stored with each of them, and comes to more than " + strconv.Itoa(maxBulkTerms) +
			" bytes; say less, or ask for fewer runs at once"}
	noLines = &refusal{status: http.StatusBadRequest, typ: ProblemBadJSON,
		detail: "the body has no lines: with Content-Type " + bulkType + " each is the options of one run"}
	noOptions = &refusal{status: http.StatusBadRequest, typ: ProblemBadMessage,
		detail: `"options" must be an array with the options of 1 to ` + strconv.Itoa(MaxBulk) + " runs"}
)

// isBulk tells whether a Content-Type is bulkType, whatever its parameters.
func isBulk(contentType []byte) bool {
	name, _, _ := bytes.Cut(contentType, []byte(";"))
	return fold(trim(name), bulkType)
}

// splitLines appends the place of each JSON value of a body that has one a line. Lines end with LF or CR LF, the last one
// perhaps with neither; those with nothing but white space are passed over.
func splitLines(body []byte, to []dispatch.Span) ([]dispatch.Span, *refusal) {
	for at, line := 0, 1; at < len(body); line++ {
		end := len(body)
		if n := bytes.IndexByte(body[at:], '\n'); n >= 0 {
			end = at + n
		}
		text := body[at:end]
		if skipWhite(text, 0) < len(text) {
			if len(to) == MaxBulk {
				return to, tooManyRuns
			}
			value, err := ValidJSON(text)
			if err != nil {
				return to, &refusal{status: http.StatusBadRequest, typ: ProblemBadJSON, detail: "line " + strconv.Itoa(line) +
					", which begins at byte " + strconv.Itoa(at) + " of the body, is " + err.Error() + " of the line; nothing was accepted"}
			}
			to = append(to, moved(value, uint32(at)))
		}
		at = end + 1
	}
	if len(to) == 0 {
		return to, noLines
	}
	return to, nil
}

// splitArray appends the place of each element of a JSON array that is known to be valid; b holds it, at.
func splitArray(b []byte, at dispatch.Span, to []dispatch.Span) ([]dispatch.Span, *refusal) {
	if at.Len == 0 || b[at.Off] != '[' {
		return to, noOptions
	}
	b = b[:at.Off+at.Len]
	for i := skipWhite(b, int(at.Off)+1); b[i] != ']'; {
		if len(to) == MaxBulk {
			return to, tooManyRuns
		}
		end, _ := scanValue(b, i, MaxDepth)
		to = append(to, spanOf(i, end))
		if i = skipWhite(b, end); b[i] == ',' {
			i = skipWhite(b, i+1)
		}
	}
	if len(to) == 0 {
		return to, noOptions
	}
	return to, nil
}
