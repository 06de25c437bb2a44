package storm

import (
	"encoding/json"

	"pathkeeper/mpath"
)

// apply makes a plan of the other configuration and applies it some seconds later:
// the world may move between the two, and at any moment after.
func (s *Storm) apply(g Gust) {
	if s.away {
		return
	}
	other := 1 - s.which
	cfg, err := parse(s.conf[other])
	if err != nil {
		s.bad(lawOwnConfig, "%v", err)
		return
	}
	p, err := s.d.Plan(cfg)
	if err != nil {
		return // its first picture is not complete
	}
	s.tell("plan: %s", p.Summary())
	s.w.After(mpath.Span(g.X%6)*second/2, func() {
		if s.away {
			return
		}
		s.tell("apply")
		s.applies = append(s.applies, s.d.AskApply(s.config(other), p))
	})
}

// applied holds the answers against their law, at the end: an apply that a killed
// process had got has none.
func (s *Storm) applied() {
	for _, seq := range s.applies {
		if n := len(s.d.Applied(seq)); n > 1 {
			s.bad(lawApplied, "apply %d has %d answers", seq, n)
		}
	}
}

// applyInCalm makes and applies a plan when the faults are over: it has its answer.
func (s *Storm) applyInCalm() {
	cfg := s.config(s.which)
	p, err := s.d.Plan(cfg)
	if err != nil {
		return
	}
	if _, ok := s.d.Apply(cfg, p); !ok {
		s.bad(lawApplied, "%s", p.Summary())
	}
}

func planText(p mpath.Plan) string {
	text, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// plan makes a plan of the other configuration, lets the world go on for a while and
// applies it.
func (s *coreStorm) plan() {
	clone, err := s.mc.Clone()
	if err != nil {
		s.bad(lawPlan, "%v", err)
		return
	}
	other := 1 - s.which
	p, err := clone.Foresee(mpath.Configured{Config: s.confs[other]}, nil)
	if err != nil {
		return // its first picture is not complete
	}
	again, err := s.mc.Clone()
	if err != nil {
		s.bad(lawPlan, "%v", err)
		return
	}
	if q, err := again.Foresee(mpath.Configured{Config: s.confs[other]}, nil); err != nil || planText(p) != planText(q) {
		s.bad(lawPlan, "two of one state differ: %v\n%s\n%s", err, planText(p), planText(q))
		return
	}
	life := s.k.life
	s.run(mpath.Span(s.r.Int64N(int64(2 * second))))
	if s.fail != nil || s.k.life != life {
		return
	}
	s.which = other
	s.step(mpath.Apply{Seq: uint64(s.steps), Config: s.confs[other], Plan: p})
	if s.r.IntN(2) == 0 {
		s.run(mpath.Span(s.r.Int64N(int64(40 * second))))
	}
}
