// Package console is what people look at, and do to many runs at once and to schedules, as ordinary net/http handlers. A connection whose
// request is for one of them leaves the event loops for an http.Server (reactor.Config.Pages), so that nothing here can
// hold up a task.
//
// Lists are JSON, in pages: {"tasks":[…],"next":"/tasks?detail=1&cursor=…"}; next is left out on the last page. Runs are
// read from the store, where they are in indexes; only whether one is with a worker is asked of the dispatcher. What it
// takes to make a page is bounded: a page may be short, or empty, and not the last.
package console
