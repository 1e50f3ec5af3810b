package bounded

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// The bounds of what [JSON] holds, beside those of its configuration.
const (
	maxName  = 64 << 10 // bytes of a field's name
	maxBlank = 16 << 20 // blanks in a row
	skipped  = 16       // how many times too large a value may be to be passed over
)

// JSON reads a JSON text value by value. It holds one value at a time, of bounded size, and finds its end by quotes and brackets
// alone: whether what is between is JSON, its caller finds out. So a value that is damaged, too large or too deep takes no
// other with it. It is not safe for concurrent use.
type JSON struct {
	in     *bufio.Reader
	most   int
	values int
	room   []byte
	fresh  bool // a bracket was opened, and nothing read since
}

// NewJSON returns a reader of values of at most most bytes that consist of at most values values.
func NewJSON(r io.Reader, most, values int) *JSON {
	return &JSON{in: bufio.NewReaderSize(r, 64<<10), most: most, values: values}
}

// Peek returns the first byte that is no blank, and leaves it to be read. The error is [io.EOF] at the end.
func (j *JSON) Peek() (byte, error) {
	for blanks := 0; ; blanks++ {
		c, err := j.in.ReadByte()
		if err != nil {
			return 0, err
		}
		if !isBlank(c) {
			return c, j.in.UnreadByte()
		}
		if blanks == maxBlank {
			return 0, fmt.Errorf("more than %d blanks: %w", maxBlank, ErrTooLarge)
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// Open reads the bracket or brace that is expected.
func (j *JSON) Open(want byte) error {
	c, err := j.Peek()
	if err != nil {
		return unexpected(err)
	}
	if c != want {
		return fmt.Errorf("invalid character %q where %q is expected", c, want)
	}
	_, _ = j.in.Discard(1)
	j.fresh = true
	return nil
}

// More says whether another value follows before the bracket or brace that closes, and reads the comma before the value or
// what closes.
func (j *JSON) More(closes byte) (bool, error) {
	c, err := j.Peek()
	if err != nil {
		return false, unexpected(err)
	}
	fresh := j.fresh
	j.fresh = false
	switch {
	case c == closes:
		_, _ = j.in.Discard(1)
		return false, nil
	case fresh:
		return true, nil
	case c != ',':
		return false, fmt.Errorf("invalid character %q where a comma or %q is expected", c, closes)
	}
	_, _ = j.in.Discard(1)
	return true, nil
}

// Name reads the name of a field, and the colon behind it.
func (j *JSON) Name() (string, error) {
	if c, err := j.Peek(); err != nil {
		return "", unexpected(err)
	} else if c != '"' {
		return "", fmt.Errorf("invalid character %q where a name is expected", c)
	}
	raw, bad, err := j.value(maxName)
	if err == nil {
		err = bad
	}
	if err != nil {
		return "", fmt.Errorf("a name: %w", err)
	}
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return "", fmt.Errorf("a name: %w", err)
	}
	if err := j.Open(':'); err != nil {
		return "", err
	}
	j.fresh = false
	return name, nil
}

// Value reads the next value, which is valid until the next call. Bad is why there is none that can be used, and concerns this
// value alone; it wraps [ErrTooLarge]. The error is one that nothing can be read after.
func (j *JSON) Value() (raw []byte, bad, err error) { return j.value(j.most) }

// Skip reads over the next value, however large.
func (j *JSON) Skip() error {
	_, _, err := j.value(0)
	return err
}

// End makes sure that nothing but blanks follows.
func (j *JSON) End() error {
	c, err := j.Peek()
	switch {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("something follows the end: invalid character %q", c)
}

// value reads the next value, of which nothing is kept if most is zero.
func (j *JSON) value(most int) (raw []byte, bad, err error) {
	switch c, err := j.Peek(); {
	case err != nil:
		return nil, nil, unexpected(err)
	case bytes.IndexByte([]byte(",:]}"), c) >= 0:
		return nil, nil, fmt.Errorf("invalid character %q where a value is expected", c)
	}
	j.room = j.room[:0]
	var s extent
	n := 0
	for done := false; !done; {
		if _, err := j.in.Peek(1); err != nil {
			if err == io.EOF && s.bare {
				break
			}
			return nil, nil, unexpected(err)
		}
		chunk, _ := j.in.Peek(j.in.Buffered())
		var used int
		used, done = s.step(chunk)
		if n += used; n <= most && s.values <= j.values {
			j.room = append(j.room, chunk[:used]...)
		}
		_, _ = j.in.Discard(used)
		if most > 0 && n > most*skipped {
			return nil, nil, fmt.Errorf("a value of more than %d bytes, too large to pass over: %w", most*skipped, ErrTooLarge)
		}
	}
	switch {
	case most == 0:
		return nil, nil, nil
	case n > most:
		return nil, fmt.Errorf("more than %d bytes: %w", most, ErrTooLarge), nil
	case s.values > j.values:
		return nil, fmt.Errorf("more than %d values: %w", j.values, ErrTooLarge), nil
	}
	return j.room, nil, nil
}

// An extent is where the search for the end of a value stands.
type extent struct {
	depth   int
	begun   bool
	bare    bool // it is neither in quotes nor in brackets
	quoted  bool
	escaped bool
	values  int // how many there are within, at most
}

// step goes on through chunk. The value has the first used bytes of it, and is complete if done.
func (s *extent) step(chunk []byte) (used int, done bool) {
	for i := 0; i < len(chunk); i++ {
		c := chunk[i]
		if s.quoted {
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.quoted = false
				if s.depth == 0 {
					return i + 1, true
				}
			}
			continue
		}
		if s.bare {
			if isBlank(c) || c == ',' || c == ']' || c == '}' {
				return i, true
			}
			continue
		}
		switch c {
		case '"':
			s.quoted = true
		case '{', '[':
			s.depth++
			s.values++
		case ',':
			s.values++
		case '}', ']':
			if s.depth--; s.depth == 0 {
				return i + 1, true
			}
		default:
			s.bare = !s.begun
		}
		s.begun = true
	}
	return len(chunk), false
}
