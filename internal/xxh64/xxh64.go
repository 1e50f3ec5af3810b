// Package xxh64 is the 64-bit hash by which devices are put in order.
package xxh64

import "math/bits"

// The 64-bit hash XXH64 of Yann Collet (xxHash specification 0.1.1, sections "XXH64 algorithm description" and
// "XXH64 initialization"). It is used because its results are spread evenly whatever device IDs look like, are the same on
// every machine and in every release, and cost a tenth of a cryptographic hash. Nothing secret depends on it.
const (
	prime1 = 0x9E3779B185EBCA87
	prime2 = 0xC2B2AE3D27D4EB4F
	prime3 = 0x165667B19E3779F9
	prime4 = 0x85EBCA77C2B2AE63
	prime5 = 0x27D4EB2F165667C5
)

// Sum returns the XXH64 of s under a seed. It is the same on every machine and in every release.
func Sum(seed uint64, s string) uint64 {
	n := uint64(len(s))
	var h uint64
	if len(s) >= 32 {
		v1, v2, v3, v4 := seed, seed, seed, seed
		v1 += prime1
		v1 += prime2
		v2 += prime2
		v4 -= prime1
		for len(s) >= 32 {
			v1 = round(v1, word(s))
			v2 = round(v2, word(s[8:]))
			v3 = round(v3, word(s[16:]))
			v4 = round(v4, word(s[24:]))
			s = s[32:]
		}
		h = bits.RotateLeft64(v1, 1) + bits.RotateLeft64(v2, 7) + bits.RotateLeft64(v3, 12) + bits.RotateLeft64(v4, 18)
		h = merge(merge(merge(merge(h, v1), v2), v3), v4)
	} else {
		h = seed + prime5
	}
	h += n
	for ; len(s) >= 8; s = s[8:] {
		h ^= round(0, word(s))
		h = bits.RotateLeft64(h, 27)*prime1 + prime4
	}
	if len(s) >= 4 {
		h ^= uint64(uint32(s[0])|uint32(s[1])<<8|uint32(s[2])<<16|uint32(s[3])<<24) * prime1
		h = bits.RotateLeft64(h, 23)*prime2 + prime3
		s = s[4:]
	}
	for i := range len(s) {
		h ^= uint64(s[i]) * prime5
		h = bits.RotateLeft64(h, 11) * prime1
	}
	h ^= h >> 33
	h *= prime2
	h ^= h >> 29
	h *= prime3
	h ^= h >> 32
	return h
}

func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func round(acc, input uint64) uint64 {
	return bits.RotateLeft64(acc+input*prime2, 31) * prime1
}

func merge(acc, v uint64) uint64 { return (acc^round(0, v))*prime1 + prime4 }
