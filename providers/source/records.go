package source

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/patchflow/patchflow/internal/bounded"
)

// Records says what [Limits.ReadObject] does with a JSON object, which is what the files of many feeds are: a few fields about the file,
// and an array of many records.
type Records struct {
	Arrays []string // the names of fields whose elements are records; the object has one of them at least

	// Record is called with every record, one after the other, so that the file is never in memory as a whole. n counts
	// those of one array, from 1. Raw is valid until it returns, and need not be JSON. Bad is why there is none: a record is too
	// large, and wraps [ErrTooLarge]. It concerns that record alone. nil means that nobody wants the records.
	Record func(array string, n int, raw json.RawMessage, bad error) error

	// Field is called with the value of every other field, which is valid until it returns. nil means that nobody wants them.
	Field func(name string, raw json.RawMessage) error
}

// The bounds of one record, and of another field of the object.
const (
	MaxRecord = 4 << 20 // bytes
	MaxValues = 100_000 // objects, arrays and their elements
)

// ReadObject reads one JSON object from r, which is decompressed already. An error of r, of the JSON around the records, or of one
// of the functions ends it. It is [io.ErrUnexpectedEOF] if the object is not complete, and wraps [ErrTooLarge] if there are more
// records than [Limits.Max], if another field is too large, or a record so large that its end is not looked for. Nothing but
// blanks may follow the object.
//
// A record is whatever stands between two commas: one that is damaged within its brackets and quotes takes no other with it.
func (l Limits) ReadObject(r io.Reader, to Records) error {
	in := bounded.NewJSON(r, MaxRecord, MaxValues)
	if err := in.Open('{'); err != nil {
		return err
	}
	found, total := false, 0
	for {
		switch more, err := in.More('}'); {
		case err != nil:
			return err
		case !more && !found:
			return fmt.Errorf("an object without a field %q", to.Arrays)
		case !more:
			return in.End()
		}
		name, err := in.Name()
		if err != nil {
			return err
		}
		if slices.Contains(to.Arrays, name) {
			found = true
			var record func(int, json.RawMessage, error) error
			if to.Record != nil {
				record = func(n int, raw json.RawMessage, bad error) error { return to.Record(name, n, raw, bad) }
			}
			err = l.elements(in, fmt.Sprintf("field %q: ", name), &total, record)
		} else {
			err = field(in, name, to.Field)
		}
		if err != nil {
			return err
		}
	}
}

// field reads a field that holds no records.
func field(in *bounded.JSON, name string, tell func(string, json.RawMessage) error) error {
	if tell == nil {
		if err := in.Skip(); err != nil {
			return fmt.Errorf("field %q: %w", abbreviate(name), err)
		}
		return nil
	}
	raw, bad, err := in.Value()
	switch {
	case err != nil:
		return fmt.Errorf("field %q: %w", abbreviate(name), err)
	case bad != nil:
		return fmt.Errorf("field %q: %w", abbreviate(name), bad)
	}
	return tell(name, raw)
}

// ReadArray reads one JSON array from r, which is decompressed already, and calls record with every element, one after the
// other. n counts them from 1. Errors, and what record is told, are those of [Limits.ReadObject].
func (l Limits) ReadArray(r io.Reader, record func(n int, raw json.RawMessage, bad error) error) error {
	in := bounded.NewJSON(r, MaxRecord, MaxValues)
	total := 0
	if err := l.elements(in, "", &total, record); err != nil {
		return err
	}
	return in.End()
}

// ReadValues is [Limits.ReadArray], and reads objects too that stand one after the other, in lines or not.
func (l Limits) ReadValues(r io.Reader, record func(n int, raw json.RawMessage, bad error) error) error {
	in := bounded.NewJSON(r, MaxRecord, MaxValues)
	total := 0
	switch c, err := in.Peek(); {
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case c == '[':
		if err := l.elements(in, "", &total, record); err != nil {
			return err
		}
		return in.End()
	case c != '{':
		return fmt.Errorf("invalid character %q where an object or an array is expected", c)
	}
	for n := 1; ; n++ {
		if _, err := in.Peek(); err == io.EOF {
			return nil
		}
		if err := l.element(in, "", n, &total, record); err != nil {
			return err
		}
	}
}

// elements reads an array; where names it in errors, and total counts the elements of all arrays of a file.
func (l Limits) elements(in *bounded.JSON, where string, total *int, record func(int, json.RawMessage, error) error) error {
	if err := in.Open('['); err != nil {
		return fmt.Errorf("%s%w", where, err)
	}
	for n := 1; ; n++ {
		more, err := in.More(']')
		if err != nil {
			return fmt.Errorf("%srecord %d: %w", where, n, err)
		}
		if !more {
			return nil
		}
		if err := l.element(in, where, n, total, record); err != nil {
			return err
		}
	}
}

// element reads one record, and only over it if record is nil.
func (l Limits) element(in *bounded.JSON, where string, n int, total *int, record func(int, json.RawMessage, error) error) error {
	if *total++; *total > l.Max() {
		return fmt.Errorf("more than %d records: %w", l.Max(), ErrTooLarge)
	}
	var raw []byte
	var bad, err error
	if record == nil {
		err = in.Skip()
	} else {
		raw, bad, err = in.Value()
	}
	switch {
	case err != nil:
		return fmt.Errorf("%srecord %d: %w", where, n, err)
	case record == nil:
		return nil
	}
	if bad != nil {
		raw = nil
	}
	return record(n, raw, bad)
}

// abbreviate returns the beginning of a text for an error.
func abbreviate(text string) string { return text[:min(len(text), 60)] }
