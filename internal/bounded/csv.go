package bounded

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// maxRow is how many bytes a row of a table may have, whatever is quoted in it.
const maxRow = 256 << 10

// CSV reads the rows of a table as encoding/csv does, each of bounded size, and of any number of fields. It is not safe for
// concurrent use.
type CSV struct {
	rows  *csv.Reader
	gauge *rowGauge
}

// NewCSV returns a reader of the rows in r.
func NewCSV(r io.Reader) *CSV {
	g := &rowGauge{in: bufio.NewReader(r)}
	c := &CSV{rows: csv.NewReader(g), gauge: g}
	c.rows.ReuseRecord = true
	c.rows.FieldsPerRecord = -1
	return c
}

// Read returns the next row, which is valid until the next call, and the line on which it begins, from 1. Bad is why a row cannot
// be used, a [*csv.ParseError]. The error is one that nothing can be read after: [io.EOF] after the last row, and one that wraps
// [ErrTooLarge] for a row of more than 256 KiB.
func (c *CSV) Read() (row []string, line int, bad, err error) {
	c.gauge.left = maxRow
	row, err = c.rows.Read()
	var syntax *csv.ParseError
	switch {
	case c.gauge.err != nil:
		return nil, 0, nil, c.gauge.err
	case errors.As(err, &syntax):
		return nil, syntax.StartLine, syntax.Err, nil
	case err != nil:
		return nil, 0, nil, err
	}
	line, _ = c.rows.FieldPos(0)
	return row, line, nil, nil
}

// A rowGauge hands out lines, as many bytes as are left for a row, so that what is read ahead does not count.
type rowGauge struct {
	in   *bufio.Reader
	left int
	line int
	err  error
}

func (g *rowGauge) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n := 0
	for n < len(p) {
		c, err := g.in.ReadByte()
		if err != nil {
			if n > 0 && err == io.EOF {
				return n, nil
			}
			if err != io.EOF {
				g.err = fmt.Errorf("line %d: %w", g.line+1, err)
				err = g.err
			}
			return n, err
		}
		if g.left--; g.left < 0 {
			g.err = fmt.Errorf("line %d: a row of more than %d bytes: %w", g.line+1, maxRow, ErrTooLarge)
			return n, g.err
		}
		p[n] = c
		n++
		if c == '\n' {
			g.line++
			break
		}
	}
	return n, nil
}
