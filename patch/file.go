package patch

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// A saved catalog is
//
//	magic and the version of the format, one byte
//	length of the table of texts, of the patches, and of the texts, eight bytes each
//	table of texts: how many, and the length of each, as varints
//	patches: how many, then each as [codec] writes it, by ascending IDs
//	texts, one after the other
//	CRC-32C of all before, four bytes
//
// with whole numbers in little-endian order. Indices are not in it: they take less time to build than to check.
const (
	fileMagic   = "patchflow catalog\n"
	fileVersion = 1
	fileHeader  = len(fileMagic) + 1 + 3*8
)

// Limits are the bounds within which a saved catalog is read. A zero field means its default.
type Limits struct {
	Bytes    int64 // of the file; 256 MiB
	Patches  int   // 1,000,000
	Packages int   // in all patches together, those that are declared to be unaffected among them; 2,000,000
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 256 << 20
	}
	if l.Patches <= 0 {
		l.Patches = 1_000_000
	}
	if l.Packages <= 0 {
		l.Packages = 2_000_000
	}
	return l
}

// WriteTo saves c, for [ReadCatalog] to load. Equal catalogs give equal bytes, up to the zones of their times, of which
// only the instants are saved. It implements [io.WriterTo]; errors are those of w.
func (c *Catalog) WriteTo(w io.Writer) (int64, error) {
	enc := codec{numbers: make(map[string]uint64), before: &Package{}}
	enc.put(uint64(len(c.patches)))
	for _, p := range c.patches {
		enc.patch(p)
	}
	length := 0
	table := binary.AppendUvarint(nil, uint64(len(enc.texts)))
	for _, s := range enc.texts {
		table = binary.AppendUvarint(table, uint64(len(s)))
		length += len(s)
	}
	header := append([]byte(fileMagic), fileVersion)
	for _, n := range [...]int{len(table), len(enc.out), length} {
		header = binary.LittleEndian.AppendUint64(header, uint64(n))
	}

	out := &summing{w: w, table: crc32.MakeTable(crc32.Castagnoli)}
	buffer := bufio.NewWriterSize(out, 64<<10)
	for _, part := range [...][]byte{header, table, enc.out} {
		buffer.Write(part) // an error stays and is returned by Flush
	}
	for _, s := range enc.texts {
		buffer.WriteString(s)
	}
	err := buffer.Flush()
	if err == nil {
		_, err = out.Write(binary.LittleEndian.AppendUint32(nil, out.sum))
	}
	if err != nil {
		return out.n, fmt.Errorf("patch: save catalog: %w", err)
	}
	return out.n, nil
}

// summing counts what is written and keeps its checksum.
type summing struct {
	w     io.Writer
	table *crc32.Table
	sum   uint32
	n     int64
}

func (s *summing) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sum = crc32.Update(s.sum, s.table, p[:n])
	s.n += int64(n)
	return n, err
}

// ReadCatalog loads what [Catalog.WriteTo] saved: the same catalog, with times in UTC. r must end where it ends.
//
// It checks everything: a file of damaged, foreign or hostile content is an error, says where, and takes memory in
// proportion to its own length and to limits. The error wraps [io.ErrUnexpectedEOF] if the file ends too early, and
// [errors.ErrUnsupported] if a newer version of this package wrote it. In every case the feeds are what to start from again.
func ReadCatalog(r io.Reader, limits Limits) (*Catalog, error) {
	c, err := readCatalog(r, limits.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("patch: saved catalog: %w", err)
	}
	return c, nil
}

func readCatalog(r io.Reader, limits Limits) (*Catalog, error) {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	in := io.TeeReader(r, sum)
	header := make([]byte, fileHeader)
	if n, err := io.ReadFull(in, header); !strings.HasPrefix(fileMagic, string(header[:min(n, len(fileMagic))])) {
		return nil, fmt.Errorf("is none: it begins with %q", header[:min(n, len(fileMagic))])
	} else if n > len(fileMagic) && header[len(fileMagic)] != fileVersion {
		return nil, fmt.Errorf("has version %d of the format, and this package reads version %d: %w", header[len(fileMagic)], fileVersion, errors.ErrUnsupported)
	} else if err != nil {
		return nil, ends(int64(n), err)
	}
	var lengths [3]int64
	total := uint64(fileHeader + crc32.Size)
	for i := range lengths {
		n := binary.LittleEndian.Uint64(header[len(fileMagic)+1+8*i:])
		if n > uint64(limits.Bytes) || total+n > uint64(limits.Bytes) {
			return nil, fmt.Errorf("is longer than the %d bytes that are allowed", limits.Bytes)
		}
		lengths[i] = int64(n)
		total += n
	}
	body, err := readBytes(in, lengths[0]+lengths[1])
	if err != nil {
		return nil, ends(int64(fileHeader+len(body)), err)
	}
	texts, err := readText(in, lengths[2])
	if err != nil {
		return nil, ends(int64(fileHeader+len(body)+len(texts)), err)
	}
	want := sum.Sum32()
	var end [crc32.Size + 1]byte
	switch n, err := io.ReadFull(r, end[:]); {
	case n == len(end):
		return nil, fmt.Errorf("goes on after its end at byte %d", total)
	case n < crc32.Size || err != io.ErrUnexpectedEOF:
		return nil, ends(int64(total)-crc32.Size+int64(n), err)
	case binary.LittleEndian.Uint32(end[:]) != want:
		return nil, errors.New("is damaged: its checksum is wrong")
	}
	patches, err := decode(body[:lengths[0]], body[lengths[0]:], texts, limits)
	if err != nil {
		return nil, err
	}
	if err := checkIDs(patches, patches); err != nil {
		return nil, err
	}
	return newCatalog(patches), nil
}

// decode makes patches of the parts of a file.
func decode(table, body []byte, all string, limits Limits) ([]*Patch, error) {
	c := codec{reading: true, before: &Package{}}
	if err := c.table(table, all); err != nil {
		return nil, fmt.Errorf("table of texts: %w", err)
	}
	c.in, c.size = body, len(body)
	patches, err := c.all(limits)
	if err != nil {
		return nil, fmt.Errorf("patches: %w", err)
	}
	return patches, nil
}

// ends returns the error for a file that cannot be read further than to byte n.
func ends(n int64, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("ends at byte %d, in the middle: %w", n, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("at byte %d: %w", n, err)
}

// trusted is how much memory a length in a file may take before so much was read.
const trusted = 16 << 20

// readBytes reads n bytes. With an error it returns what it has.
func readBytes(r io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(n, trusted)) + bytes.MinRead)
	_, err := io.CopyN(&b, r, n)
	return b.Bytes(), err
}

// readText reads n bytes as one text. With an error it returns what it has.
func readText(r io.Reader, n int64) (string, error) {
	var b strings.Builder
	b.Grow(int(min(n, trusted)))
	_, err := io.CopyN(&b, r, n)
	return b.String(), err
}

// table reads the table of texts and cuts them out of all.
func (c *codec) table(in []byte, all string) error {
	c.in, c.size = in, len(in)
	c.texts = make([]string, c.count(1))
	for i := range c.texts {
		n := c.get()
		if n == 0 || n > uint64(len(all)) {
			return fmt.Errorf("text %d has %d bytes of %d", i+1, n, len(all))
		}
		c.texts[i], all = all[:n], all[n:]
	}
	switch {
	case c.err != nil:
		return c.err
	case len(c.in) > 0 || all != "":
		return fmt.Errorf("%d bytes of it and %d bytes of texts are left over", len(c.in), len(all))
	}
	return nil
}

// all reads all patches.
func (c *codec) all(limits Limits) ([]*Patch, error) {
	n := c.count(patchBytes)
	if n > limits.Patches {
		return nil, fmt.Errorf("%d, and %d are allowed", n, limits.Patches)
	}
	patches := make([]*Patch, 0, n)
	c.packages.limit = limits.Packages
	for i := range n {
		p := &c.patches.take(1)[0]
		c.patch(p)
		if c.err != nil {
			return nil, fmt.Errorf("%d of %d (%s): %w", i+1, n, p.ID, c.err)
		}
		if i > 0 && p.ID <= patches[i-1].ID {
			return nil, fmt.Errorf("%d of %d (%s) comes after %s", i+1, n, p.ID, patches[i-1].ID)
		}
		patches = append(patches, p)
	}
	if c.err != nil {
		return nil, c.err
	}
	if len(c.in) > 0 {
		return nil, fmt.Errorf("%d bytes are left over", len(c.in))
	}
	return patches, nil
}
