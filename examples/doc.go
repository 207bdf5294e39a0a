// Package examples holds small workers and producers in several languages. They are programs of their own: what is
// here beside them is the test that runs each of them, as its users would, against the real server.
package examples
