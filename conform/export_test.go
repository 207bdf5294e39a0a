package conform

// Differ says where two JSON values are not the same.
var Differ = differ

// Shape parses a message of a worker and says what is wrong with it, and which check that concerns.
func Shape(text string, hello bool) (concerns, wrong string) {
	m, err := parse([]byte(text))
	if err != nil {
		return "messages", err.Error()
	}
	return shape(m, hello)
}
