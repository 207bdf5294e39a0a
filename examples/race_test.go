//go:build race

package examples_test

const raceDetector = true // build the server with it too
