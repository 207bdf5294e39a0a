package protocol

// Fits reports whether a session expects messages with the layout of this one.
func Fits(f *Front, s *Session, message []byte) bool { return f.known.find(s, message) != nil }
