package pathcheck

// none asks nothing: the kernel's device state, which is looked at before every
// check, is all that counts (the default of NVMe paths).
type none struct{}

func (none) Start() Step {
	return Step{Done: true, Verdict: Verdict{State: StateUp, Message: "kernel device state is good"}}
}

func (n none) Answer(Response) Step { return n.Start() }
