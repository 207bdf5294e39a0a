package keeper

// Space is what the store calls.
func (k *Keeper) Space(low bool, free uint64) { k.space(low, free) }
