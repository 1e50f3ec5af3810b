package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Records says what [Limits.ReadObject] does with a JSON object, which is what the files of many feeds are: a few fields about the file,
// and an array of many records.
type Records struct {
	Arrays []string // the names of fields whose elements are records; the object has one of them at least

	// Record is called with every record, one after the other, so that the file is never in memory as a whole. n counts
	// those of one array, from 1.
	Record func(array string, n int, raw json.RawMessage) error

	// Field is called with the value of every other field. nil means that nobody wants them.
	Field func(name string, raw json.RawMessage) error
}

// MaxRecord is how many bytes one record, or another field of the object, may have.
const MaxRecord = 16 << 20

// ReadObject reads one JSON object from r, which is decompressed already. An error of r, of the JSON, or of one of the functions
// ends it. It is [io.ErrUnexpectedEOF] if the object is not complete, and wraps [ErrTooLarge] if there are more records than
// [Limits.Max] or if one has more than [MaxRecord] bytes. Nothing but blanks may follow the object.
func (l Limits) ReadObject(r io.Reader, to Records) error {
	g := &gauge{r: r, left: MaxRecord}
	dec := json.NewDecoder(g)
	if err := delimiter(dec, '{'); err != nil {
		return err
	}
	found, total := false, 0
	for dec.More() {
		g.left = MaxRecord
		t, err := dec.Token()
		if err != nil {
			return unexpected(err)
		}
		name, _ := t.(string)
		if !slices.Contains(to.Arrays, name) {
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				return fmt.Errorf("field %q: %w", abbreviate(name), unexpected(err))
			}
			if to.Field != nil {
				if err := to.Field(name, raw); err != nil {
					return err
				}
			}
			continue
		}
		found = true
		record := func(n int, raw json.RawMessage) error { return to.Record(name, n, raw) }
		if err := l.elements(dec, g, fmt.Sprintf("field %q: ", name), &total, record); err != nil {
			return err
		}
	}
	if err := delimiter(dec, '}'); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("an object without a field %q", to.Arrays)
	}
	return end(dec, g)
}

// ReadArray reads one JSON array from r, which is decompressed already, and calls record with every element, one after the
// other. n counts them from 1. Errors are those of [Limits.ReadObject].
func (l Limits) ReadArray(r io.Reader, record func(n int, raw json.RawMessage) error) error {
	g := &gauge{r: r, left: MaxRecord}
	dec := json.NewDecoder(g)
	total := 0
	if err := l.elements(dec, g, "", &total, record); err != nil {
		return err
	}
	return end(dec, g)
}

// elements reads an array; where names it in errors, and total counts the elements of all arrays of a file.
func (l Limits) elements(dec *json.Decoder, g *gauge, where string, total *int, record func(n int, raw json.RawMessage) error) error {
	if err := delimiter(dec, '['); err != nil {
		return fmt.Errorf("%s%w", where, err)
	}
	for n := 1; dec.More(); n++ {
		if *total++; *total > l.Max() {
			return fmt.Errorf("more than %d records: %w", l.Max(), ErrTooLarge)
		}
		g.left = MaxRecord
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf("%srecord %d: %w", where, n, unexpected(err))
		}
		if err := record(n, raw); err != nil {
			return err
		}
	}
	if err := delimiter(dec, ']'); err != nil {
		return fmt.Errorf("%s%w", where, err)
	}
	return nil
}

// end makes sure that nothing but blanks follows.
func end(dec *json.Decoder, g *gauge) error {
	g.left = MaxRecord
	if _, err := dec.Token(); err == nil {
		return errors.New("something follows the end")
	} else if err != io.EOF {
		return err
	}
	return nil
}

// delimiter reads one bracket or brace.
func delimiter(dec *json.Decoder, want json.Delim) error {
	t, err := dec.Token()
	if err != nil {
		return unexpected(err)
	}
	if t != want {
		return fmt.Errorf("%q where %q is expected", abbreviate(fmt.Sprint(t)), want)
	}
	return nil
}

// unexpected turns the end of the file into an early one.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A gauge ends in an error when more is read at once than is left.
type gauge struct {
	r    io.Reader
	left int
}

func (g *gauge) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, fmt.Errorf("a record of more than %d bytes: %w", MaxRecord, ErrTooLarge)
	}
	n, err := g.r.Read(p[:min(len(p), g.left)])
	g.left -= n
	return n, err
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
