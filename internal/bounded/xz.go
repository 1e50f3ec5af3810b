package bounded

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// An xzReader reads the container of xz files (tukaani.org, "The .xz File Format" 1.2.0) around the LZMA2 decoder of
// github.com/ulikunitz/xz/lzma. The container is read here because the library's own reader allocates whatever dictionary
// a block asks for, up to 4 GiB, and takes a file that ends between two blocks for a whole one.
type xzReader struct {
	in     *counter
	limits Limits
	flags  [2]byte

	block   io.Reader // decodes the open block; nil between blocks
	sum     hash.Hash
	header  int64 // bytes of the open block's header
	start   int64 // where the open block's header begins in the input
	size    int64 // what the header says of its content; -1 if nothing
	packed  int64 // what the header says of its compressed size; -1 if nothing
	n       int64 // what came out of it
	records hash.Hash
	blocks  uint64
	streams bool  // at least one stream is complete
	total   int64 // what came out of the blocks before
	spent   int64 // bytes of all dictionaries so far
}

const (
	xzMagic    = "\xfd7zXZ\x00"
	xzFooter   = "YZ"
	lzma2      = 0x21
	crc32Check = 1
	crc64Check = 4
	sha2Check  = 10
	minDict    = 4096
)

func newXZReader(in *counter, limits Limits) (*xzReader, error) {
	x := &xzReader{in: in, limits: limits}
	return x, x.openStream()
}

// openStream reads a stream header. It returns io.EOF if there is no further stream.
func (x *xzReader) openStream() error {
	var head [12]byte
	for {
		n, err := io.ReadFull(x.in, head[:4])
		if err == io.EOF && n == 0 {
			return io.EOF
		}
		if err != nil {
			return unexpected(err)
		}
		if x.streams && [4]byte(head[:4]) == [4]byte{} {
			continue // stream padding
		}
		break
	}
	if _, err := io.ReadFull(x.in, head[4:]); err != nil {
		return unexpected(err)
	}
	if string(head[:6]) != xzMagic || binary.LittleEndian.Uint32(head[8:]) != crc32.ChecksumIEEE(head[6:8]) {
		return errors.New("wrong stream header")
	}
	x.flags = [2]byte(head[6:8])
	switch x.flags {
	case [2]byte{0, 0}, [2]byte{0, crc32Check}, [2]byte{0, crc64Check}, [2]byte{0, sha2Check}:
	default:
		return fmt.Errorf("xz check %d: %w", x.flags[1], errors.ErrUnsupported)
	}
	x.records, x.blocks = sha256.New(), 0
	return nil
}

// Read implements [io.Reader].
func (x *xzReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if x.block == nil {
			more, err := x.openBlock()
			if err != nil {
				return 0, err
			}
			if !more {
				if err := x.closeStream(); err != nil {
					return 0, err
				}
				if err := x.openStream(); err != nil {
					return 0, err
				}
				continue
			}
		}
		n, err := x.block.Read(p)
		x.n += int64(n)
		x.sum.Write(p[:n])
		if x.size >= 0 && x.n > x.size {
			return n, errors.New("a block holds more than its header says")
		}
		if err == io.EOF {
			err = x.closeBlock()
		} else {
			err = unexpected(err)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// openBlock reads a block header. It returns false at the index that follows the last block.
func (x *xzReader) openBlock() (bool, error) {
	x.start = x.in.n
	length, err := x.in.ReadByte()
	if err != nil {
		return false, unexpected(err)
	}
	if length == 0 {
		return false, nil
	}
	head := make([]byte, (int(length)+1)*4)
	head[0] = length
	if _, err := io.ReadFull(x.in, head[1:]); err != nil {
		return false, unexpected(err)
	}
	body, crc := head[:len(head)-4], head[len(head)-4:]
	if binary.LittleEndian.Uint32(crc) != crc32.ChecksumIEEE(body) {
		return false, errors.New("wrong checksum of a block header")
	}
	flags := body[1]
	if flags&0x3c != 0 {
		return false, fmt.Errorf("unknown flags %#x of a block: %w", flags, errors.ErrUnsupported)
	}
	if flags&3 != 0 {
		return false, fmt.Errorf("xz filters other than LZMA2: %w", errors.ErrUnsupported)
	}
	fields := bytes.NewReader(body[2:])
	x.packed, x.size = -1, -1
	if flags&0x40 != 0 {
		if x.packed, err = readSize(fields); err != nil {
			return false, err
		}
	}
	if flags&0x80 != 0 {
		if x.size, err = readSize(fields); err != nil {
			return false, err
		}
	}
	var filter [3]byte
	if _, err := io.ReadFull(fields, filter[:]); err != nil {
		return false, errors.New("a block header is too short")
	}
	if filter[0] != lzma2 || filter[1] != 1 {
		return false, fmt.Errorf("xz filter %#x: %w", filter[0], errors.ErrUnsupported)
	}
	dictionary, err := dictionarySize(filter[2])
	if err != nil {
		return false, err
	}
	if dictionary > x.limits.Dictionary {
		return false, fmt.Errorf("xz dictionary of %d bytes, more than %d: %w", dictionary, x.limits.Dictionary, ErrTooLarge)
	}
	// No match reaches back beyond the beginning, so a small block needs no more than its own size, whatever it asks for.
	dictionary = min(dictionary, x.limits.Bytes+1)
	if x.size >= 0 {
		dictionary = min(dictionary, x.size)
	}
	dictionary = max(dictionary, minDict)
	// Every block gets a dictionary of its own. Real files have blocks of several times its size; a file of tiny blocks with
	// large dictionaries would cost hours of clearing memory.
	if x.spent += dictionary; x.spent > 2*x.limits.Dictionary+16*x.total {
		return false, fmt.Errorf("xz dictionaries of %d bytes for %d bytes of content: %w", x.spent, x.total, ErrTooLarge)
	}
	x.block, err = lzma.Reader2Config{DictCap: int(dictionary)}.NewReader2(x.in)
	if err != nil {
		return false, unexpected(err)
	}
	x.header, x.n, x.sum = int64(len(head)), 0, newCheck(x.flags[1])
	return true, nil
}

// closeBlock reads what follows the compressed data: padding and checksum.
func (x *xzReader) closeBlock() error {
	packed := x.in.n - x.start - x.header
	if x.size >= 0 && x.n != x.size || x.packed >= 0 && packed != x.packed {
		return errors.New("a block has another size than its header says")
	}
	var tail [3 + sha256.Size]byte
	padding := int(-packed & 3)
	rest := tail[:padding+x.sum.Size()]
	if _, err := io.ReadFull(x.in, rest); err != nil {
		return unexpected(err)
	}
	for _, b := range rest[:padding] {
		if b != 0 {
			return errors.New("padding of a block is not zero")
		}
	}
	sum := x.sum.Sum(nil)
	if x.flags[1] != sha2Check {
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i] // package hash sums are big-endian, xz is little-endian
		}
	}
	if !bytes.Equal(sum, rest[padding:]) {
		return errors.New("wrong checksum of a block")
	}
	x.record(x.header+packed+int64(len(sum)), x.n)
	x.total += x.n
	x.blocks++
	x.block = nil
	return nil
}

// record adds the sizes of a block to a hash, so that the index can be compared without keeping it.
func (x *xzReader) record(unpadded, size int64) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], uint64(unpadded))
	binary.LittleEndian.PutUint64(b[8:], uint64(size))
	x.records.Write(b[:])
}

// closeStream reads the index, whose first byte is read already, and the footer.
func (x *xzReader) closeStream() error {
	begin := x.start
	want, blocks := x.records.Sum(nil), x.blocks
	in := &summer{in: x.in, sum: crc32.NewIEEE()}
	in.sum.Write([]byte{0})
	count, err := readSize(in)
	if err != nil {
		return err
	}
	if uint64(count) != blocks {
		return fmt.Errorf("the index lists %d blocks of %d", count, blocks)
	}
	x.records = sha256.New()
	for range count {
		unpadded, err := readSize(in)
		if err != nil {
			return err
		}
		size, err := readSize(in)
		if err != nil {
			return err
		}
		x.record(unpadded, size)
	}
	if !bytes.Equal(want, x.records.Sum(nil)) {
		return errors.New("the index lists other sizes than the blocks have")
	}
	for (x.in.n-begin)&3 != 0 {
		if b, err := in.ReadByte(); err != nil {
			return unexpected(err)
		} else if b != 0 {
			return errors.New("padding of the index is not zero")
		}
	}
	var tail [16]byte // checksum of the index, then the footer
	if _, err := io.ReadFull(x.in, tail[:]); err != nil {
		return unexpected(err)
	}
	size := x.in.n - begin - 12
	footer := tail[4:]
	switch {
	case binary.LittleEndian.Uint32(tail[:]) != in.sum.Sum32():
		return errors.New("wrong checksum of the index")
	case string(footer[10:]) != xzFooter, [2]byte(footer[8:10]) != x.flags,
		binary.LittleEndian.Uint32(footer) != crc32.ChecksumIEEE(footer[4:10]),
		(int64(binary.LittleEndian.Uint32(footer[4:]))+1)*4 != size:
		return errors.New("wrong stream footer")
	}
	x.streams = true
	return nil
}

// A summer reads bytes and sums them up.
type summer struct {
	in  *counter
	sum hash.Hash32
}

func (s *summer) ReadByte() (byte, error) {
	b, err := s.in.ReadByte()
	if err == nil {
		s.sum.Write([]byte{b})
	}
	return b, err
}

// readSize reads a number of seven bits per byte, at most nine bytes.
func readSize(r io.ByteReader) (int64, error) {
	var v int64
	for shift := 0; shift < 63; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, unexpected(err)
		}
		v |= int64(b&0x7f) << shift
		if b&0x80 == 0 {
			if b == 0 && shift > 0 {
				break
			}
			return v, nil
		}
	}
	return 0, errors.New("a size is not encoded as it should be")
}

// dictionarySize decodes the one property of LZMA2: a mantissa of two bits and an exponent.
func dictionarySize(bits byte) (int64, error) {
	switch {
	case bits > 40:
		return 0, errors.New("a dictionary size is not encoded as it should be")
	case bits == 40:
		return 1<<32 - 1, nil
	}
	return (2 | int64(bits&1)) << (bits/2 + 11), nil
}

// newCheck returns the checksum of blocks that the stream flags name.
func newCheck(id byte) hash.Hash {
	switch id {
	case crc32Check:
		return crc32.NewIEEE()
	case crc64Check:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case sha2Check:
		return sha256.New()
	}
	return noCheck{}
}

// noCheck is the checksum of a stream that has none.
type noCheck struct{}

func (noCheck) Write(p []byte) (int, error) { return len(p), nil }
func (noCheck) Sum(b []byte) []byte         { return b }
func (noCheck) Reset()                      {}
func (noCheck) Size() int                   { return 0 }
func (noCheck) BlockSize() int              { return 1 }

// unexpected turns the end of the input into an early end.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
