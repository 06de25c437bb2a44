package pathcheck

import "pathkeeper/scsi"

// tur asks TEST UNIT READY: it touches no medium and is answered at once.
type tur struct{ cmd command }

func newTUR(p Params) *tur {
	return &tur{command{name: "TEST UNIT READY", req: scsi.TestUnitReady(p.TimeoutMS)}}
}

func (t *tur) Start() Step { return Step{Ask: t.cmd.ask()} }

func (t *tur) Answer(r Response) Step {
	if t.cmd.tries == 0 {
		return wrongKind(t.cmd.name)
	}
	again, o := t.cmd.judge(r.SCSI)
	if again {
		return Step{Ask: t.cmd.ask()}
	}
	return Step{Done: true, Verdict: o.verdict}
}
