package bounded_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"

	"github.com/patchflow/patchflow/internal/bounded"
)

func text(lines int) []byte {
	var b bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	for i := range lines {
		fmt.Fprintf(&b, "Package: p%d\nSHA256: %x\n\n", i, random.Uint64())
	}
	return b.Bytes()
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func pack(t testing.TB, data []byte, config xz.WriterConfig) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := config.NewWriter(&b)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func zst(t testing.TB, data []byte, options ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// Made by bzip2 1.0.8: a stanza of two lines, the same in two streams, and four MiB of zeros.
const (
	bzip2Text  = "QlpoOTFBWSZTWYolqjIAAAfbgAAQQANyUEEAOqnYECAAIiTI2nqjBqPSeQoABoGTIPgwQAFNdyVPCstM/JFn0zFV32LuSKcKEhFEtUZA"
	bzip2Two   = "QlpoOTFBWSZTWVEDcF8AAAJbgAAQQAAQEEAAOqhAECAAIpgTDKEAABWFvI9WoQT8XckU4UJBRA3BfEJaaDkxQVkmU1mXEeQYAAAF24AAEEADYlABAAIhmAAgADFMABNCmjI/VA9JhgAyW6blJT8XckU4UJCXEeQY"
	bzip2Zeros = "QlpoOTFBWSZTWVYC4ogAICBIAMAAAAQACCAAMMwFKaYCAbECAeLuSKcKEgrAXFEA"
)

// bz2 returns what the program bzip2 made: nothing in Go writes that format.
func bz2(t testing.TB, text string) []byte {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return packed
}

func readAll(packed []byte, limits bounded.Limits) ([]byte, error) {
	r, err := bounded.NewReader(bytes.NewReader(packed), limits)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// squeeze packs data as lz4, which is how apt keeps its lists in containers.
func squeeze(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := lz4.NewWriter(&b)
	require.NoError(t, w.Apply(lz4.ChecksumOption(true)))
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestReaderTellsTheFormatByTheFirstBytes(t *testing.T) {
	data := text(500)
	two := append(pack(t, data[:1000], xz.WriterConfig{}), 0, 0, 0, 0)
	two = append(two, pack(t, data[1000:], xz.WriterConfig{CheckSum: xz.CRC32})...)
	for _, row := range []struct {
		name, format string
		packed       []byte
	}{
		{"plain text", "plain", data},
		{"gzip", "gzip", gz(t, data)},
		{"gzip of two members", "gzip", append(gz(t, data[:1000]), gz(t, data[1000:])...)},
		{"xz with CRC64", "xz", pack(t, data, xz.WriterConfig{})},
		{"xz with CRC32", "xz", pack(t, data, xz.WriterConfig{CheckSum: xz.CRC32})},
		{"xz with SHA-256", "xz", pack(t, data, xz.WriterConfig{CheckSum: xz.SHA256})},
		{"xz without a checksum", "xz", pack(t, data, xz.WriterConfig{NoCheckSum: true})},
		{"xz of many blocks", "xz", pack(t, data, xz.WriterConfig{BlockSize: 777, DictCap: 4096})},
		{"xz of two streams with padding between", "xz", two},
		{"lz4", "lz4", squeeze(t, data)},
		{"zstd", "zstd", zst(t, data)},
		{"zstd of two frames", "zstd", append(zst(t, data[:1000]), zst(t, data[1000:])...)},
		{"zstd with a small window", "zstd", zst(t, data, zstd.WithWindowSize(1<<10))},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := bounded.NewReader(bytes.NewReader(row.packed), bounded.Limits{})
			require.NoError(t, err)
			require.Equal(t, row.format, r.Format())
			require.NoError(t, iotest.TestReader(r, data))
		})
	}
	t.Run("nothing at all is an empty plain file", func(t *testing.T) {
		got, err := readAll(nil, bounded.Limits{})
		require.NoError(t, err)
		require.Empty(t, got)
	})
}

func TestReaderRefusesOtherCompressionsByName(t *testing.T) {
	for magic, name := range map[string]string{
		"\x5d\x00\x00\x80\x00\x00": "lzma", "\x00ZCK1rest": "zchunk",
	} {
		_, err := bounded.NewReader(strings.NewReader(magic), bounded.Limits{})
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, name)
	}
}

func TestReaderCutShortAnywhereIsAnError(t *testing.T) {
	data := text(40)
	for name, packed := range map[string][]byte{
		"gzip": gz(t, data), "lz4": squeeze(t, data), "zstd": zst(t, data), "bzip2": bz2(t, bzip2Text),
		"xz": pack(t, data, xz.WriterConfig{DictCap: 4096}), "xz of many blocks": pack(t, data, xz.WriterConfig{BlockSize: 500, DictCap: 4096}),
	} {
		for n := 6; n < len(packed); n++ {
			_, err := readAll(packed[:n], bounded.Limits{})
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s cut at %d of %d", name, n, len(packed))
		}
	}
}

func TestReaderNeverReturnsDamagedContentAsWhole(t *testing.T) {
	data := text(20)
	packed := pack(t, data, xz.WriterConfig{BlockSize: 500, DictCap: 4096})
	harmless := 0
	for i := 6; i < len(packed); i++ {
		damaged := bytes.Clone(packed)
		damaged[i] ^= 0x10
		got, err := readAll(damaged, bounded.Limits{})
		if err == nil {
			harmless++ // the LZMA2 decoder does not mind a chunk that claims to be longer than it is
			require.Equal(t, data, got, "byte %d", i)
		}
	}
	require.Less(t, harmless, len(packed)/100)
	zipped := gz(t, data)
	zipped[len(zipped)-5] ^= 1
	_, err := readAll(zipped, bounded.Limits{})
	require.ErrorIs(t, err, bounded.ErrCorrupt)
}

// Both end in checksums, so that no damage is passed on. One of a length or of the end of the data may read as data that
// ends too early, or ask for too much.
func TestReaderNoticesEveryDamageOfZstdAndBzip2(t *testing.T) {
	for name, packed := range map[string][]byte{"zstd": zst(t, text(20)), "bzip2": bz2(t, bzip2Text)} {
		want, err := readAll(packed, bounded.Limits{})
		require.NoError(t, err)
		corrupt, harmless := 0, 0
		for i := 6; i < len(packed); i++ {
			for bit := range 8 {
				damaged := bytes.Clone(packed)
				damaged[i] ^= 1 << bit
				got, err := readAll(damaged, bounded.Limits{})
				if err == nil {
					harmless++ // bits that nothing uses: those that fill up a byte, the codes of a table without symbols
					require.Equal(t, want, got, "%s: byte %d, bit %d", name, i, bit)
				} else if errors.Is(err, bounded.ErrCorrupt) {
					corrupt++
				} else if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errors.ErrUnsupported) {
					require.ErrorIs(t, err, bounded.ErrTooLarge)
				}
			}
		}
		require.Greater(t, corrupt, 8*(len(packed)-6)/2, name)
		require.Less(t, harmless, 8*len(packed)/20, name)
	}
}

func TestReaderReadsBzip2(t *testing.T) {
	for _, packed := range []string{bzip2Text, bzip2Two} {
		r, err := bounded.NewReader(bytes.NewReader(bz2(t, packed)), bounded.Limits{})
		require.NoError(t, err)
		require.Equal(t, "bzip2", r.Format())
		require.NoError(t, iotest.TestReader(r, []byte("Package: bzip2\nVersion: 1.0.8-5\n\n")))
	}
}

func TestReaderBoundsWhatComesOut(t *testing.T) {
	data := text(500)
	for name, packed := range map[string][]byte{
		"plain": data, "gzip": gz(t, data), "xz": pack(t, data, xz.WriterConfig{}), "zstd": zst(t, data),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(packed, bounded.Limits{Bytes: int64(len(data))})
			require.NoError(t, err)
			require.Equal(t, data, got)
			got, err = readAll(packed, bounded.Limits{Bytes: int64(len(data)) - 1})
			require.ErrorIs(t, err, bounded.ErrTooLarge)
			require.Equal(t, data[:len(data)-1], got)
		})
	}
}

func TestReaderBoundsTheRatio(t *testing.T) {
	zeros := make([]byte, 4<<20)
	for name, packed := range map[string][]byte{
		"gzip": gz(t, zeros), "xz": pack(t, zeros, xz.WriterConfig{}), "zstd": zst(t, zeros), "bzip2": bz2(t, bzip2Zeros),
	} {
		_, err := readAll(packed, bounded.Limits{})
		require.ErrorIs(t, err, bounded.ErrTooLarge, name)
		require.ErrorContains(t, err, "ratio", name)
		got, err := readAll(packed, bounded.Limits{Ratio: 100000})
		require.NoError(t, err, name)
		require.Len(t, got, len(zeros), name)
	}
	small := make([]byte, 1<<20)
	_, err := readAll(gz(t, small), bounded.Limits{})
	require.NoError(t, err, "the first MiB is free")
}

func TestGibibyteOfZerosEndsSoonAndSmall(t *testing.T) {
	stream := pack(t, make([]byte, 16<<20), xz.WriterConfig{})
	bomb := bytes.Repeat(stream, 64)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := bounded.NewReader(bytes.NewReader(bomb), bounded.Limits{})
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, bounded.ErrTooLarge)
	require.Less(t, n, int64(4<<20))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "bytes allocated")
}

// withDictionary changes the dictionary that the first block of an xz file asks for.
func withDictionary(packed []byte, bits byte) []byte {
	packed = bytes.Clone(packed)
	head := packed[12:]
	length := (int(head[0]) + 1) * 4
	i := bytes.Index(head[:length], []byte{0x21, 1})
	head[i+2] = bits
	binary.LittleEndian.PutUint32(head[length-4:], crc32.ChecksumIEEE(head[:length-4]))
	return packed
}

func TestReaderBoundsTheDictionaryOfXZ(t *testing.T) {
	data := text(20)
	packed := pack(t, data, xz.WriterConfig{DictCap: 1 << 20})
	for _, bits := range []byte{29, 30, 39, 40} {
		_, err := readAll(withDictionary(packed, bits), bounded.Limits{})
		require.ErrorIs(t, err, bounded.ErrTooLarge, "dictionary %d", bits)
		require.ErrorContains(t, err, "dictionary")
	}
	got, err := readAll(withDictionary(packed, 28), bounded.Limits{}) // 64 MiB
	require.NoError(t, err)
	require.Equal(t, data, got)
	_, err = readAll(withDictionary(packed, 41), bounded.Limits{})
	require.ErrorIs(t, err, bounded.ErrCorrupt)
	_, err = readAll(packed, bounded.Limits{Dictionary: 1 << 19})
	require.ErrorIs(t, err, bounded.ErrTooLarge)
}

func TestReaderBoundsTheDictionariesOfManySmallBlocks(t *testing.T) {
	small := withDictionary(pack(t, []byte("x"), xz.WriterConfig{}), 28) // one byte, and 64 MiB
	got, err := readAll(bytes.Repeat(small, 2), bounded.Limits{})
	require.NoError(t, err)
	require.Equal(t, "xx", string(got))
	_, err = readAll(bytes.Repeat(small, 1000), bounded.Limits{})
	require.ErrorIs(t, err, bounded.ErrTooLarge)
	require.ErrorContains(t, err, "dictionaries")
}

// A frame of zstd that says no length and asks for a window of 2 to the power of bits, with one block that is one "x".
func frame(bits byte) []byte {
	return []byte("\x28\xb5\x2f\xfd\x00" + string([]byte{(bits - 10) << 3}) + "\x09\x00\x00x")
}

func TestReaderBoundsTheWindowOfZstd(t *testing.T) {
	got, err := readAll(frame(26), bounded.Limits{})
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
	for _, bits := range []byte{27, 31, 41} {
		_, err := readAll(frame(bits), bounded.Limits{})
		require.ErrorIs(t, err, bounded.ErrTooLarge, "window %d", bits)
	}
	_, err = readAll(frame(20), bounded.Limits{Dictionary: 1 << 19})
	require.ErrorIs(t, err, bounded.ErrTooLarge)
	_, err = readAll(frame(10), bounded.Limits{Dictionary: 1})
	require.NoError(t, err, "the smallest window there is")

	// A frame that says its length needs no window but that.
	single := []byte("\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x40\x09\x00\x00x")
	_, err = readAll(single, bounded.Limits{})
	require.ErrorIs(t, err, bounded.ErrTooLarge)
}

func TestReaderKeepsOneWindowForAllFramesOfZstd(t *testing.T) {
	many := bytes.Repeat(frame(26), 1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := readAll(many, bounded.Limits{})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 1000), string(got))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<20), "bytes allocated")
}

func TestReaderRefusesADictionaryThatIsNotInTheFile(t *testing.T) {
	_, err := readAll([]byte("\x28\xb5\x2f\xfd\x01\x00\x07\x09\x00\x00x"), bounded.Limits{})
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestReaderStartsNoGoroutine(t *testing.T) {
	r, err := bounded.NewReader(bytes.NewReader(zst(t, text(5000))), bounded.Limits{})
	require.NoError(t, err)
	_, err = r.Read(make([]byte, 1))
	require.NoError(t, err)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	require.NotContains(t, string(stacks), "zstd.(*Decoder)", "nobody closes the reader")
	runtime.KeepAlive(r)
}

func TestReaderPassesOnTheErrorsOfWhatItReads(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, packed := range map[string][]byte{"plain": text(500), "gzip": gz(t, text(500)),
		"xz": pack(t, text(500), xz.WriterConfig{}), "zstd": zst(t, text(500)), "bzip2": bz2(t, bzip2Text)} {
		r, err := bounded.NewReader(io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), iotest.ErrReader(broken)), bounded.Limits{})
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		require.ErrorIs(t, err, broken, name)
		require.NotErrorIs(t, err, bounded.ErrCorrupt, name)
	}
}

func TestReaderRepeatsItsError(t *testing.T) {
	r, err := bounded.NewReader(strings.NewReader("abc"), bounded.Limits{Bytes: 2})
	require.NoError(t, err)
	_, first := io.ReadAll(r)
	require.ErrorIs(t, first, bounded.ErrTooLarge)
	n, second := r.Read(make([]byte, 1))
	require.Zero(t, n)
	require.Equal(t, first, second)
}

// The library's own reader is the reference for what an xz file holds, where it accepts the file at all.
func FuzzReader(f *testing.F) {
	f.Add(pack(f, text(3), xz.WriterConfig{}))
	f.Add(pack(f, text(3), xz.WriterConfig{BlockSize: 50, CheckSum: xz.SHA256}))
	f.Add(gz(f, text(3)))
	f.Add([]byte("plain"))
	f.Add(zst(f, text(3)))
	f.Add(frame(20))
	f.Add(bz2(f, bzip2Two))
	f.Fuzz(func(t *testing.T, packed []byte) {
		if len(packed) > 4096 {
			t.Skip("longer than need be")
		}
		limits := bounded.Limits{Bytes: 1 << 20, Dictionary: 1 << 20}
		got, err := readAll(packed, limits)
		require.LessOrEqual(t, int64(len(got)), limits.Bytes)
		if err != nil || !bytes.HasPrefix(packed, []byte("\xfd7zXZ\x00")) {
			return
		}
		r, err := xz.NewReader(bytes.NewReader(packed))
		require.NoError(t, err)
		want, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}
