package bounded_test

import (
	"bytes"
	"compress/gzip"
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
		"\x28\xb5\x2f\xfdrest": "zstd", "BZh91AY": "bzip2", "\x5d\x00\x00\x80\x00\x00": "lzma",
	} {
		_, err := bounded.NewReader(strings.NewReader(magic), bounded.Limits{})
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, name)
	}
}

func TestReaderCutShortAnywhereIsAnError(t *testing.T) {
	data := text(40)
	for name, packed := range map[string][]byte{
		"gzip": gz(t, data), "lz4": squeeze(t, data), "xz": pack(t, data, xz.WriterConfig{DictCap: 4096}), "xz of many blocks": pack(t, data, xz.WriterConfig{BlockSize: 500, DictCap: 4096}),
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

func TestReaderBoundsWhatComesOut(t *testing.T) {
	data := text(500)
	for name, packed := range map[string][]byte{"plain": data, "gzip": gz(t, data), "xz": pack(t, data, xz.WriterConfig{})} {
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
	for name, packed := range map[string][]byte{"gzip": gz(t, zeros), "xz": pack(t, zeros, xz.WriterConfig{})} {
		_, err := readAll(packed, bounded.Limits{})
		require.ErrorIs(t, err, bounded.ErrTooLarge, name)
		require.ErrorContains(t, err, "ratio", name)
		got, err := readAll(packed, bounded.Limits{Ratio: 10000})
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

func TestReaderPassesOnTheErrorsOfWhatItReads(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, packed := range map[string][]byte{"plain": text(500), "gzip": gz(t, text(500)), "xz": pack(t, text(500), xz.WriterConfig{})} {
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
