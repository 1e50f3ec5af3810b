package winetest

import (
	"bytes"
	"encoding/binary"
)

// Forwarder makes a library for Windows on x86-64 that has one function, which is another library's: programs of Go want one that
// wine 8 lacks. It is nothing but headers and a table of exports (Microsoft's "PE Format"). SystemFunction036 takes and returns the
// same as ProcessPrng where less than 4 GiB are asked for.
func Forwarder(library, function, to string) []byte {
	const base = 0x1000 // where the table is loaded
	const dirSize, functions, names, ordinals, texts = 40, 40, 44, 48, 52
	var section bytes.Buffer
	put := func(b *bytes.Buffer, all ...any) {
		for _, v := range all {
			_ = binary.Write(b, binary.LittleEndian, v) // never fails
		}
	}
	libraryAt := uint32(base + texts)
	functionAt := libraryAt + uint32(len(library)) + 1
	toAt := functionAt + uint32(len(function)) + 1
	put(&section, uint32(0), uint32(0), uint32(0), libraryAt, uint32(1), uint32(1), uint32(1), uint32(base+functions), uint32(base+names), uint32(base+ordinals))
	put(&section, toAt, functionAt, uint32(0)) // an address within the table is the name of what it forwards to
	section.WriteString(library + "\x00" + function + "\x00" + to + "\x00")
	size := uint32(section.Len())

	var file bytes.Buffer
	file.WriteString("MZ")
	file.Write(make([]byte, 58))
	put(&file, uint32(64))
	file.WriteString("PE\x00\x00")
	const amd64, dll, optional = 0x8664, 0x2022, 240
	put(&file, uint16(amd64), uint16(1), uint32(0), uint32(0), uint32(0), uint16(optional), uint16(dll))
	put(&file, uint16(0x20b), uint16(0), uint32(0), uint32(0x200), uint32(0), uint32(0), uint32(0), uint64(0x180000000), uint32(0x1000), uint32(0x200))
	put(&file, uint16(6), uint16(0), uint16(0), uint16(0), uint16(6), uint16(0), uint32(0), uint32(0x2000), uint32(0x200), uint32(0), uint16(2), uint16(0x100))
	put(&file, uint64(0x100000), uint64(0x1000), uint64(0x100000), uint64(0x1000), uint32(0), uint32(16))
	put(&file, uint32(base), size)
	file.Write(make([]byte, 15*8))
	file.WriteString(".edata\x00\x00")
	put(&file, size, uint32(base), uint32(0x200), uint32(0x200), uint32(0), uint32(0), uint32(0), uint32(0x40000040))
	file.Write(make([]byte, 0x200-file.Len()))
	file.Write(section.Bytes())
	file.Write(make([]byte, 0x400-file.Len()))
	return file.Bytes()
}
