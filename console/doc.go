// Package console is what people look at: plain lists of tasks and workers, as ordinary net/http handlers. A connection
// whose request is for one of them leaves the event loops for an http.Server (reactor.Config.Pages), so that nothing
// here can hold up a task.
//
// Lists are JSON, in pages: {"tasks":[…],"next":"/tasks?detail=1&cursor=…"}; next is left out on the last page.
package console
