package dispatch

// Calls and runs share the memory of Config.MaxTasks. Neither may take all of it: calls that no worker takes would keep the
// runs of every other task on the disk, and such runs would have every call refused. So a part is kept for each.

// reserve is how many tasks in memory are kept for calls, and as many for runs: an eighth of all, and no more than a lane has
// in its window. Without runs there is none.
func (c *Config) reserve() int {
	if !c.Durable {
		return 0
	}
	return min(max(c.MaxTasks/8, 1), c.MaxTasks-1, c.Window)
}

// held is how many tasks are in memory.
func (d *Dispatcher) held() int { return d.stats.Queued + d.stats.Leased + d.stats.Schedule }

// roomForCall tells whether another call may be in memory.
func (d *Dispatcher) roomForCall() bool {
	return d.held() < d.cfg.MaxTasks && d.calls < d.cfg.MaxTasks-d.cfg.reserve()
}

// roomForRuns tells whether another run may be. Of Config.MaxRuns those that settle take some too.
func (d *Dispatcher) roomForRuns() bool {
	held := d.held()
	return held < d.cfg.MaxTasks && held-d.calls < d.cfg.MaxTasks-d.cfg.reserve() && len(d.runs) < d.cfg.MaxRuns
}
