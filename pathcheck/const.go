package pathcheck

// constant is priority 1 for every path.
type constant struct{}

func (constant) Start() PrioStep {
	return PrioStep{Done: true, Prio: PrioResult{OK: true, Priority: 1, TPG: -1}}
}

func (c constant) Answer(Response) PrioStep { return c.Start() }
