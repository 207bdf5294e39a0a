package conform

// optIn are the checks of a worker that says Hello.
var optIn = []check{}
