package rollout

// A line is devices in their order, each of which leaves it for good at some time.
type line struct {
	members []int32
	skips   []int32 // by member: none between it and there is in the line any more; 0 for what is not known, nil for nothing
}

// push puts a device at the end.
func (l *line) push(d int32) {
	l.members = append(l.members, d)
	if l.skips != nil {
		l.skips = append(l.skips, 0)
	}
}

// next returns where the first member from that place on stands that is still in the line, or the end. It remembers the way: where
// something keeps an early member back, those after it that have moved on are not passed over one by one each time.
func (l *line) next(from int, in func(int32) bool) int {
	at := from
	for at < len(l.members) && !in(l.members[at]) {
		if at++; l.skips != nil {
			at = max(at, int(l.skips[at-1]))
		}
	}
	if at > from+1 {
		if l.skips == nil {
			l.skips = make([]int32, len(l.members))
		}
		l.skips[from] = int32(at)
	}
	return at
}
