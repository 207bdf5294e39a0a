// Package callback calls a URL with the outcome of a run that has finished. It knows nothing of tasks: what is to be sent
// where is its [Source]'s to say.
//
// A [Pool] makes the calls, a few at once, each on a goroutine that the pool owns: [Config].Workers of them, and one, the
// keeper, that waits for what is due and reads the Source. [Pool.Close] ends them all. Only these goroutines ever wait for
// a peer, a name server or the Source: [Pool.Add] takes a mutex that nobody holds while they wait, so event loops
// may call it.
//
// Memory is bounded: of at most [Config].MaxWaiting runs the pool keeps about 150 bytes each, and of at most Workers runs
// the document. What does not fit is left to the Source, which is read again once there is room; so nothing is lost, be it
// by much work or by a crash. A run is called for at least once, and seldom twice: receivers tell by the id.
//
// No host takes the pool for itself: of each, at most [Config].PerHost calls are made at once, and a quarter of
// MaxWaiting is kept.
//
// A call is one POST of JSON, signed by the scheme of Standard Webhooks 1.0.0. What it may reach is said by [Access]: by
// default public addresses only, and it is the address dialled that is looked at, not the name. Redirects are not
// followed; proxies and cookies are not used.
package callback
