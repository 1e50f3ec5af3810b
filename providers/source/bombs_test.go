//go:build hostile

package source_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

// A bomb is a hostile file: a beginning, and a text that stands there again and again, or a packed file.
type bomb struct {
	name      string
	begin     string
	again     string
	packed    string // the name of a packed file, for which the others are empty
	malformed bool   // it is wrong from its first bytes on, and needs not be too large
	slow      bool   // no more of it is read than slowSize: all of it takes minutes
}

// slow marks those of the bombs that have one of the names. It panics if one of them has none.
func slow(bombs []bomb, names ...string) []bomb {
	for _, name := range names {
		i := slices.IndexFunc(bombs, func(b bomb) bool { return b.name == name })
		bombs[i].slow = true
	}
	return bombs
}

// reader yields the bomb, up to size bytes.
func (b *bomb) reader(size int64) io.Reader {
	block := []byte(strings.Repeat(b.again, 1+64<<10/len(b.again)))
	return io.LimitReader(io.MultiReader(strings.NewReader(b.begin), &again{block: block}), size)
}

// again yields a block again and again.
type again struct {
	block []byte
	at    int
}

func (a *again) Read(p []byte) (int, error) {
	n := copy(p, a.block[a.at:])
	a.at = (a.at + n) % len(a.block)
	return n, nil
}

// packed returns the packed bombs, which any parser can meet that decompresses: of blanks, which go on, and of zeros.
func packed(malformed bool) []bomb {
	var all []bomb
	for _, name := range []string{"blanks.gz", "blanks.xz", "blanks.zst", "zeros.bz2"} {
		all = append(all, bomb{name: name, packed: name, malformed: malformed || name == "zeros.bz2"})
	}
	return all
}

// inJSON returns bombs of JSON. Head is a file up to the place of its first record, record is a record up to the text of its
// name, and lists are records up to the elements of a list.
func inJSON(head, record string, lists ...string) []bomb {
	all := append(packed(false),
		bomb{name: "a text without end", begin: head + record, again: "a"},
		bomb{name: "records without end that are none", begin: head, again: "{},"},
		bomb{name: "a number without end", begin: head, again: "1"},
		bomb{name: "arrays in a record", begin: head + `{"x":`, again: "["},
		bomb{name: "objects in a record", begin: head + `{"x":`, again: `{"x":`},
		bomb{name: "arrays in arrays", again: "[", malformed: true},
		bomb{name: "objects in objects", again: `{"x":`, malformed: true},
		bomb{name: "a name without end", begin: `{"`, again: "a", malformed: strings.HasPrefix(head, "[")},
	)
	for _, list := range lists {
		all = append(all, bomb{name: "a list without end: " + list, begin: head + list, again: "{},"})
	}
	return all
}

// inLines returns bombs of a text in lines, of which head are the first.
func inLines(head, record string) []bomb {
	return append(packed(false),
		bomb{name: "a line without end", begin: head + record, again: "a"},
		bomb{name: "quotes without end", begin: head + `"`, again: "a"},
		bomb{name: "commas without end", begin: head, again: ","},
		bomb{name: "records without end that are none", begin: head, again: "x\n"},
		bomb{name: "empty lines", begin: head, again: "\n"},
	)
}

// inXML returns bombs of XML. Head is a file up to its first record, record is a record up to its content.
func inXML(head, record string) []bomb {
	return append(packed(false),
		bomb{name: "a text without end", begin: head + record, again: "a"},
		bomb{name: "a tag without end", begin: head + "<", again: "a"},
		bomb{name: "an attribute without end", begin: head + `<a b="`, again: "a"},
		bomb{name: "attributes without end", begin: head + `<a`, again: ` b=""`},
		bomb{name: "a comment without end", begin: head + `<!--`, again: "a"},
		bomb{name: "an instruction without end", begin: `<?`, again: "a"},
		bomb{name: "elements in a record", begin: head + record, again: "<a>"},
		bomb{name: "elements in elements", again: "<a>", malformed: true},
		bomb{name: "entities", begin: `<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">`, again: `<!ENTITY a "&a;&a;&a;&a;&a;&a;">`, malformed: true},
		bomb{name: "an entity without end", begin: `<!DOCTYPE a [<!ENTITY a "`, again: `a`},
		bomb{name: "records without end that are none", begin: head, again: record + strings.Replace(record, "<", "</", 1)},
		bomb{name: "empty elements in a record", begin: head + record, again: "<a/>"},
		bomb{name: "blanks", begin: head, again: " "},
	)
}

// pack writes the packed bombs into a folder. Each is of many streams but for that in the zip, so that nothing takes long.
func pack(t *testing.T, folder string) {
	t.Helper()
	const part = 16 << 20
	zeros, blanks := make([]byte, part), bytes.Repeat([]byte{' '}, part)
	write := func(name string, parts ...[]byte) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), bytes.Join(parts, nil), 0o600))
	}
	squeeze := func(data []byte, make func(io.Writer) (io.WriteCloser, error)) []byte {
		var b bytes.Buffer
		w, err := make(&b)
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	for name, make := range map[string]func(io.Writer) (io.WriteCloser, error){
		"gz":  func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) },
		"xz":  func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
		"zst": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, zstd.WithWindowSize(8<<20)) },
	} {
		write("blanks."+name, bytes.Repeat(squeeze(blanks, make), bombSize/part))
	}
	// Made by bzip2 1.0.8 of four MiB of zeros: nothing in Go writes that format.
	bz2, err := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWVYC4ogAICBIAMAAAAQACCAAMMwFKaYCAbECAeLuSKcKEgrAXFEA")
	require.NoError(t, err)
	write("zeros.bz2", bytes.Repeat(bz2, bombSize/(4<<20)))

	// A zip of one file of a gibibyte, and another behind it. What is packed with a flush can stand there many times.
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	require.NoError(t, err)
	_, err = w.Write(zeros)
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	content := bytes.Repeat(b.Bytes(), bombSize/part)
	b.Reset()
	require.NoError(t, w.Close())
	write("zeros.zip", zipOf(append(content, b.Bytes()...), crcOf(zeros, bombSize/part)))
}

// crcOf returns the checksum of data that stands there so many times.
func crcOf(data []byte, times int) uint32 {
	sum := uint32(0)
	for range times {
		sum = crc32.Update(sum, crc32.IEEETable, data)
	}
	return sum
}

// zipOf returns a zip with two files: bomb.json, of packed content that is a gibibyte with a checksum, and A.json.
func zipOf(content []byte, sum uint32) []byte {
	var b, directory bytes.Buffer
	for _, f := range []struct {
		name           string
		method         uint16
		content        []byte
		size, checksum uint32
	}{
		{"bomb.json", 8, content, bombSize, sum},
		{"A.json", 0, []byte(`{"id": "A"}`), 11, crc32.ChecksumIEEE([]byte(`{"id": "A"}`))},
	} {
		fields := []any{uint16(20), uint16(0), f.method, uint32(0), f.checksum, uint32(len(f.content)), f.size, uint16(len(f.name)), uint16(0)}
		put := func(w *bytes.Buffer, values ...any) {
			for _, v := range values {
				_ = binary.Write(w, binary.LittleEndian, v)
			}
		}
		put(&directory, []byte("PK\x01\x02"), uint16(20))
		put(&directory, fields...)
		put(&directory, uint16(0), uint16(0), uint16(0), uint32(0), uint32(b.Len()), []byte(f.name))
		put(&b, []byte("PK\x03\x04"))
		put(&b, fields...)
		put(&b, []byte(f.name), f.content)
	}
	end := binary.LittleEndian.AppendUint32(nil, uint32(directory.Len()))
	end = binary.LittleEndian.AppendUint32(end, uint32(b.Len()))
	b.Write(directory.Bytes())
	b.WriteString("PK\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00")
	b.Write(end)
	b.WriteString("\x00\x00")
	return b.Bytes()
}
