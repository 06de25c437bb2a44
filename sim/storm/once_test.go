package storm

import (
	"fmt"
	"testing"
)

// Storms of the core that long campaigns found: a reload that forgot its map's
// deadline (935), an operator's reload within an apply (114, 518, 783, 789), loads of
// an apply that its plan did not name (1525, 2669, 2769, 4648, 5332); and the model, which
// took the word of a load back while its map was suspended (11802), and did not look at
// the kernel right before it exchanged a table, as the engine does (15968); and an answer
// that was older than the kernel's failure of a path which no check had found up (19893), or
// than a failure that an older one hides (64000).
func TestStormsThatOnceBrokeALaw(t *testing.T) {
	for _, seed := range []uint64{114, 518, 783, 789, 935, 1525, 2669, 2769, 4648, 5332, 11802, 15968, 19893, 64000} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			if r := RunCore(CoreOptions{Seed: seed, Nameless: seed < 11802}); r.Err != nil {
				t.Error(r.Err)
			}
		})
	}
}
