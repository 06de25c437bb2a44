package pathcheck

import (
	"testing"

	"pathkeeper/scsi"
)

// What this host is short of says nothing of a path: thousands of descriptors of
// hung commands must not take the healthy paths with them.
func TestHostShortage(t *testing.T) {
	for _, errno := range []uint32{eINTR, eAGAIN, eNOMEM, eBUSY, eNFILE, eMFILE} {
		tur := newTUR(Params{TimeoutMS: 1000})
		tur.Start()
		step := tur.Answer(Response{SCSI: scsi.Response{Errno: errno}})
		if !step.Done || !step.Verdict.Inconclusive {
			t.Errorf("%s: %+v, want an inconclusive verdict", errnoText(errno), step)
		}
	}
}
