package storm

// shrinkRuns bounds how many storms are blown to make one smaller.
const shrinkRuns = 120

// Shrink looks for a smaller set of gusts that breaks the same law, and gives the
// storm that has only those. It leaves gusts out in ever smaller pieces (delta
// debugging); the result is not the least one, but each gust in it is needed.
func Shrink(r Result) Result {
	if r.Err == nil {
		return r
	}
	total := newStorm(r.Options).Gusts()
	keep := r.Only
	if keep == nil {
		for i := range total {
			keep = append(keep, i)
		}
	}
	best, runs := r, 0
	same := func(only []int) bool {
		if runs++; runs > shrinkRuns {
			return false
		}
		o := r.Options
		o.Only, o.Log, o.Cover = only, nil, nil
		if only == nil {
			o.Only = []int{}
		}
		got := Run(o)
		if got.Err == nil || got.Err.Law != r.Err.Law {
			return false
		}
		best = got
		return true
	}
	for size := (len(keep) + 1) / 2; size >= 1 && runs < shrinkRuns; {
		smaller := false
		for at := 0; at < len(keep); {
			end := min(at+size, len(keep))
			without := append(append([]int{}, keep[:at]...), keep[end:]...)
			if same(without) {
				keep, smaller = without, true
			} else {
				at = end
			}
		}
		switch {
		case size > 1:
			size /= 2
		case !smaller:
			size = 0
		}
	}
	o := best.Options
	o.Text = true
	return Run(o)
}
