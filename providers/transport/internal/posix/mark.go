package posix

import (
	"bytes"
	"io"
	"strconv"
	"sync"
)

// A Mark is what [Line] prints when a command begins.
type Mark struct {
	Letter byte // 'g', 'p' or 'd'
	PID    int
}

// A Stripper passes on what is written after the mark. It is safe for concurrent use with [Stripper.Noise] alone.
type Stripper struct {
	mu    sync.Mutex
	mark  []byte
	to    io.Writer
	found func(Mark)
	begun bool
	head  []byte
	noise []byte
}

// maxNoise is how much is kept of what comes before the mark, for messages.
const maxNoise = 1 << 10

// NewStripper returns a stripper that writes to another writer and calls found when it sees the mark.
func NewStripper(mark string, to io.Writer, found func(Mark)) *Stripper {
	return &Stripper{mark: []byte(mark + " "), to: to, found: found}
}

// Write implements [io.Writer].
func (s *Stripper) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return s.to.Write(p)
	}
	s.noise = append(s.noise, p[:min(len(p), maxNoise-len(s.noise))]...)
	s.head = append(s.head, p...)
	for {
		i := bytes.Index(s.head, s.mark)
		if i < 0 {
			s.head = s.head[max(0, len(s.head)-len(s.mark)+1):]
			return len(p), nil
		}
		rest := s.head[i+len(s.mark):]
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok && len(rest) < 32 {
			s.head = s.head[i:]
			return len(p), nil
		}
		if m, valid := parseMark(line); ok && valid {
			s.begun, s.head = true, nil
			s.noise = nil
			s.found(m)
			_, err := s.to.Write(after)
			return len(p), err
		}
		s.head = rest // a shell that prints the line before it runs it
	}
}

func parseMark(line []byte) (Mark, bool) {
	letter, number, ok := bytes.Cut(line, []byte(" "))
	pid, err := strconv.Atoi(string(number))
	if !ok || err != nil || pid <= 1 || len(letter) != 1 || bytes.IndexByte([]byte("gpd"), letter[0]) < 0 {
		return Mark{}, false
	}
	return Mark{Letter: letter[0], PID: pid}, true
}

// Noise returns the beginning of what came instead of the mark; nothing if that came.
func (s *Stripper) Noise() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.TrimSpace(append([]byte{}, s.noise...))
}
