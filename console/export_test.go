package console

// SetLook changes how many rows one page may take to make, until the function it returns is called.
func SetLook(n int) func() {
	old := mostLooked
	mostLooked = n
	return func() { mostLooked = old }
}
