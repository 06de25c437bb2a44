package mpath

// notAsLoaded takes in which paths a load was given up for: their identity was read
// once more right before the table would have taken effect.
func (mc *Machine) notAsLoaded(list []FoundPath) {
	for _, f := range list {
		p := mc.path(f.ID)
		if p == nil {
			continue
		}
		if f.Found != "" {
			mc.foundStranger(p, f.Found)
			continue
		}
		// It did not say who it is: out of every table until a check has read it.
		p.failedAt = mc.now
		mc.checkNow(p)
	}
}
