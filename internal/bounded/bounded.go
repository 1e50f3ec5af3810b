// Package bounded reads files that others publish, compressed or not, within stated bounds: how much may come out, at what
// ratio, with how large a dictionary. A file that was made to fill the memory or the time of its reader ends in an error.
package bounded

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"
)

// ErrTooLarge is wrapped by the error for a file that exceeds a bound of [Limits].
var ErrTooLarge = errors.New("larger than allowed")

// ErrCorrupt is wrapped by the error for compressed data that is damaged. Data that ends too early is
// [io.ErrUnexpectedEOF] instead.
var ErrCorrupt = errors.New("compressed data is damaged")

// Limits are the bounds of a [Reader]. A zero field means its default.
type Limits struct {
	Bytes      int64 // how many bytes may come out; 512 MiB
	Ratio      int64 // how many bytes may come out for each that goes in, beyond the first MiB; 100
	Dictionary int64 // the largest dictionary of xz or window of zstd, in bytes, which is what decompression costs in memory; 64 MiB
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 512 << 20
	}
	if l.Ratio <= 0 {
		l.Ratio = 100
	}
	if l.Dictionary <= 0 {
		l.Dictionary = 64 << 20
	}
	return l
}

// freeBytes may come out at any ratio: a small file of blanks is no attack.
const freeBytes = 1 << 20

// A Reader decompresses what it reads, as its first bytes tell: gzip, xz, zstd, bzip2, lz4, or nothing. It starts no
// goroutine and needs no closing. It is not safe for concurrent use.
type Reader struct {
	limits Limits
	in     *counter
	out    io.Reader
	n      int64
	format string
	err    error
}

// NewReader returns a reader of the content of r. The error wraps [errors.ErrUnsupported] for a compression that is known
// but not read here (lzma alone, zchunk).
func NewReader(r io.Reader, limits Limits) (*Reader, error) {
	limits = limits.withDefaults()
	in := &counter{r: bufio.NewReaderSize(r, 64<<10)}
	magic, err := in.r.Peek(6)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("bounded: %w", err)
	}
	b := &Reader{limits: limits, in: in, out: in, format: formatOf(magic)}
	switch b.format {
	case "plain":
	case "gzip":
		b.out, err = gzip.NewReader(in)
	case "xz":
		b.out, err = newXZReader(in, limits)
	case "zstd":
		b.out, err = newZstdReader(in, limits)
	case "bzip2":
		b.out = bzip2.NewReader(in)
	case "lz4":
		b.out = lz4.NewReader(in)
	default:
		return nil, fmt.Errorf("bounded: %s compression is not supported: %w", b.format, errors.ErrUnsupported)
	}
	if err != nil && b.format != "plain" {
		return nil, b.wrap(err)
	}
	return b, nil
}

// formatOf names what data is that begins with magic.
func formatOf(magic []byte) string {
	for _, known := range []struct{ magic, format string }{
		{"\x1f\x8b", "gzip"},
		{"\xfd7zXZ\x00", "xz"},
		{"\x04\x22\x4d\x18", "lz4"},
		{"\x28\xb5\x2f\xfd", "zstd"},
		{"BZh", "bzip2"},
		{"\x5d\x00\x00", "lzma"},
		{"\x00ZCK1", "zchunk"},
	} {
		if bytes.HasPrefix(magic, []byte(known.magic)) {
			return known.format
		}
	}
	return "plain"
}

// Format says what the data is: "plain", "gzip", "xz", "zstd", "bzip2" or "lz4".
func (b *Reader) Format() string { return b.format }

// Read implements [io.Reader]. Its errors wrap [ErrTooLarge] where a bound is passed, [io.ErrUnexpectedEOF] where the
// data ends too early, [ErrCorrupt] where it is damaged, and otherwise what the underlying reader returned. An error stays.
func (b *Reader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// One byte more than allowed is asked for, so that a file of exactly the allowed size ends in io.EOF.
	if left := b.limits.Bytes - b.n + 1; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := b.out.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.limits.Bytes:
		n -= int(b.n - b.limits.Bytes)
		b.err = fmt.Errorf("bounded: content of more than %d bytes: %w", b.limits.Bytes, ErrTooLarge)
	case b.format != "plain" && b.n > freeBytes+b.limits.Ratio*b.in.n:
		n = 0
		b.err = fmt.Errorf("bounded: %d bytes of %s data hold more than %d bytes, a ratio above %d: %w",
			b.in.n, b.format, b.n, b.limits.Ratio, ErrTooLarge)
	case err == io.EOF:
		b.err = io.EOF
	case err != nil:
		b.err = b.wrap(err)
	}
	return n, b.err
}

// wrap says which of the three it is: the data ends, is damaged, or could not be read.
func (b *Reader) wrap(err error) error {
	switch {
	case b.in.err != nil:
		return fmt.Errorf("bounded: at byte %d: %w", b.in.n, b.in.err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("bounded: %s data ends at byte %d, in the middle: %w", b.format, b.in.n, io.ErrUnexpectedEOF)
	case errors.Is(err, ErrTooLarge), errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("bounded: %w", err)
	}
	return fmt.Errorf("bounded: %s data near byte %d: %w: %w", b.format, b.in.n, ErrCorrupt, err)
}

// A counter counts what was read and keeps the error that the underlying reader returned. It implements io.ByteReader, so
// that the decompressors take what they need and no more.
type counter struct {
	r   *bufio.Reader
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.note(err)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	v, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	c.note(err)
	return v, err
}

func (c *counter) note(err error) {
	if err != nil && err != io.EOF && c.err == nil {
		c.err = err
	}
}
