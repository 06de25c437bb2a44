package scenario

// Nearest finds the word that somebody who typed this may have meant, "" if none
// is near: at most two letters are wrong, missing, too many or exchanged, and no
// more than a third of them.
func Nearest(typed string, words []string) string {
	best, found := min(2, (len(typed)+1)/3), ""
	for _, w := range words {
		if d := distance(typed, w); d <= best && (found == "" || d < best) {
			best, found = d, w
		}
	}
	return found
}

// distance counts the letters to insert, delete, change or exchange with their
// neighbour to make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
