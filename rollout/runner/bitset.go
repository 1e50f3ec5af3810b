package runner

// A bitset holds one bit for each device.
type bitset []uint64

func (b *bitset) set(d int32) {
	for int(d/64) >= len(*b) { // it has joined
		*b = append(*b, 0)
	}
	(*b)[d/64] |= 1 << (d % 64)
}

func (b bitset) clear(d int32) {
	if int(d/64) < len(b) {
		b[d/64] &^= 1 << (d % 64)
	}
}

func (b bitset) has(d int32) bool { return int(d/64) < len(b) && b[d/64]&(1<<(d%64)) != 0 }
