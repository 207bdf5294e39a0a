// Package keeper joins the dispatcher and the store: what the dispatcher wants to be durable becomes batches of the store,
// what it wants to know is looked up, and what the store has to say becomes events.
//
//	k, err := keeper.Open(dir, cfg)       // the store is open
//	err = k.Restore(dispatcher, progress) // the dispatcher knows what is stored
//	tasks.KeepWith(k)
//	k.Start(tasks.Submitter(), pool.Add)
//	…
//	err = tasks.Stop(ctx)                 // the dispatcher has stopped
//	err = k.Flush(ctx)                    // and knows that all it wrote is durable
//	…                                     // the server, the tasks and the pool of callbacks are closed
//	err = k.Close()
//
// [Keeper.Keep] is called by whoever holds the dispatcher, so by one goroutine at a time, and never blocks nor calls back.
// All other methods may be called from any goroutine.
//
// The goroutines are the keeper's, from [Keeper.Start] to [Keeper.Close]: Config.Readers that answer the dispatcher's
// questions, and one that tells it what they found. What is durable the store's own goroutine tells. One submits at a time.
package keeper
