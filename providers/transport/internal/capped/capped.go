// Package capped keeps the beginning of what is written and counts the rest.
package capped

import "sync"

// A Buffer is an [io.Writer] that never fails and never keeps more than its bound. It is safe for concurrent use: a
// program that outlives its command may still be writing when the buffer is read.
type Buffer struct {
	mu   sync.Mutex
	max  int
	data []byte
	cut  int64
}

// New returns a buffer that keeps max bytes.
func New(max int) *Buffer { return &Buffer{max: max} }

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(p), b.max-len(b.data))
	b.data = append(b.data, p[:n]...)
	b.cut += int64(len(p) - n)
	return len(p), nil
}

// Bytes returns a copy of what is kept, and how many bytes were written beyond it.
func (b *Buffer) Bytes() (data []byte, cut int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]byte{}, b.data...), b.cut
}
