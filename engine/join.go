package engine

import (
	"strings"

	"pathkeeper/mpath"
	"pathkeeper/scsi"
)

// joinTimeoutMS bounds each command that asks a joining path once more who it is.
// One that takes longer is left out of the load and checked anew.
const joinTimeoutMS = 3_000

// recheck asks every path that joins a table who it is, right before the table
// takes effect: a LUN may have been exchanged since its path was checked, and a
// load makes every path active. why is "" where all of them are what they were
// taken for; else c.changed says which are not.
func (c *changing) recheck(paths []mpath.PathRef, then func(why string) Step) Step {
	for len(paths) > 0 && paths[0].Expect == "" {
		paths = paths[1:]
	}
	if len(paths) == 0 {
		return then(c.whyChanged())
	}
	r := paths[0]
	q := inquirer{device: r.Name, id: r.ID, sg: r.SG, host: r.HostNo, timeoutMS: joinTimeoutMS}
	return q.readShort(func(raw scsi.Raw, problem string) Step {
		if problem == "" && scsi.Identify(raw).WWID == r.Expect {
			return c.recheck(paths[1:], then)
		}
		if problem != "" { // it does not answer: it is not waited for again
			c.changed = append(c.changed, mpath.FoundPath{ID: r.ID})
			return c.recheck(paths[1:], then)
		}
		q := inquirer{device: r.Name, id: r.ID, sg: r.SG, host: r.HostNo, timeoutMS: joinTimeoutMS}
		return q.read(func(raw scsi.Raw, problem string) Step {
			found := ""
			if problem == "" {
				found = scsi.Identify(raw).WWID
			}
			if found != r.Expect {
				c.changed = append(c.changed, mpath.FoundPath{ID: r.ID, Found: found})
			}
			return c.recheck(paths[1:], then)
		})
	})
}

// readShort asks for INQUIRY and page 0x83 alone: enough to know again a unit that
// has its id there.
func (q *inquirer) readShort(then func(raw scsi.Raw, problem string) Step) Step {
	return q.command(scsi.Inquiry(q.timeoutMS), 0, func(r scsi.Response) Step {
		if p := commandProblem("INQUIRY", r); p != "" {
			return then(q.raw, p)
		}
		q.raw.Inquiry = r.Data
		return q.page(0x83, &q.raw.VPD83, func(problem string) Step { return then(q.raw, problem) })
	})
}

func (c *changing) whyChanged() string {
	var out []string
	for _, f := range c.changed {
		what := "did not say who it is"
		if f.Found != "" {
			what = "answers as " + f.Found
		}
		out = append(out, "path "+f.ID.Dev.String()+" "+what)
	}
	if len(out) == 0 {
		return ""
	}
	return "right before the new table " + strings.Join(out, ", ") + ": it is not used"
}
