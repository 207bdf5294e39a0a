// Package transcript replays conversations with a server that are written down as text, for tests. The same script runs
// against a server on a socket and against the protocol alone: all it needs is a way to dial.
//
// A script is lines. What stands before the mark names the connection; one is opened when its name is first used.
//
//	# a comment
//	w ~ /worker                          open a WebSocket
//	w > {"action":"GetTask"}             send a text message
//	w < {"name":"work","nonce":"$n"}     receive exactly this message; $n is bound to what stands there
//	w > {"action":"SendResult","nonce":"$n","result":1}
//	w ?                                  nothing has come that was not expected (a ping is answered before all else)
//	w !                                  close the connection without a word
//	w x 1007                             the server closes the WebSocket with this code
//	a + Expect: 100-continue             a header field for the next request
//	a > POST /task/work {"a":1}          send a request: method, target, body
//	a < 200 {"sum":3}                    receive an answer: status, body
//	a = Content-Type: application/json   the answer before had this field
//	a >> GET / HTTP/1.1\r\n\r\n          send these bytes, with Go's escapes
//	a x                                  the server closes the connection
//
// In what is expected, … stands for anything, and a $name that is not bound yet for a run of letters and digits.
package transcript
