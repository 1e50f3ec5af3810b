package rollout

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/patchflow/patchflow/patch"
)

// An entry of a journal is one batch of events:
//
//	byte      format, now 1
//	varint    time of the batch, nanoseconds since 1970 UTC
//	uvarint   number of events
//	          for each: kind (one byte), uvarint length of its body, body
//	uint32    CRC-32C (Castagnoli) of everything before, little endian
//
// Every element of a list takes at least one byte, and lengths are checked against the bytes that are left, so that no
// entry can ask for more memory than its own size justifies.
//
// Bodies are written field by field, integers as varints, texts and lists with their length before them, sorted device
// numbers as differences. A body may be longer than this version knows: fields are only ever added at its end, and the rest
// is passed over. A kind that is not known is an error, since a rollout cannot be continued without all of its decisions.
const entryFormat = 1

// Errors of decoding a journal.
var (
	// ErrTorn is wrapped by the error for an entry that is cut off or whose checksum is wrong. As the last entry of a
	// journal it is what a crash leaves behind; anywhere else it is corruption.
	ErrTorn = errors.New("torn entry")
	// ErrNewer is wrapped by the error for an entry of a format or with a kind of event that this version does not know.
	ErrNewer = errors.New("written by a newer version")
)

// EncodeBatch makes an entry of b, appended to buf. Actions are not written: they follow from the events.
func EncodeBatch(buf []byte, b Batch) []byte {
	start := len(buf)
	e := &encoder{b: append(buf, entryFormat)}
	e.time(b.At)
	e.uint(uint64(len(b.Events)))
	body := encoder{b: make([]byte, 0, 1<<12)}
	for _, ev := range b.Events {
		body.b = body.b[:0]
		ev.encode(&body)
		e.b = append(e.b, ev.kind())
		e.bytes(body.b)
	}
	return append(e.b[:start], sealed(e.b[start:])...)
}

// sealed appends the checksum to an entry.
func sealed(entry []byte) []byte {
	return binary.LittleEndian.AppendUint32(entry, crc32.Checksum(entry, crc32.MakeTable(crc32.Castagnoli)))
}

// DecodeBatch is the inverse of [EncodeBatch]. The error wraps [ErrTorn] or [ErrNewer]. Nothing in the batch refers to
// entry afterwards.
func DecodeBatch(entry []byte) (Batch, error) {
	if len(entry) < 5 {
		return Batch{}, fmt.Errorf("rollout: %w: %d bytes", ErrTorn, len(entry))
	}
	data, sum := entry[:len(entry)-4], binary.LittleEndian.Uint32(entry[len(entry)-4:])
	if crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return Batch{}, fmt.Errorf("rollout: %w: checksum of %d bytes is wrong", ErrTorn, len(entry))
	}
	if data[0] != entryFormat {
		return Batch{}, fmt.Errorf("rollout: %w: format %d, this version reads %d", ErrNewer, data[0], entryFormat)
	}
	d := &decoder{b: data[1:]}
	batch := Batch{At: d.time()}
	n := d.count(2)
	batch.Events = make([]Event, 0, n)
	for i := range n {
		kind := d.byte()
		body := &decoder{b: d.bytes()}
		if d.err != nil {
			break
		}
		ev := decodeEvent(kind, body)
		if ev == nil {
			return Batch{}, fmt.Errorf("rollout: event %d of %d: %w: kind %d", i+1, n, ErrNewer, kind)
		}
		if body.err != nil {
			return Batch{}, fmt.Errorf("rollout: event %d of %d, kind %d: %w", i+1, n, kind, body.err)
		}
		batch.Events = append(batch.Events, ev)
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes too many", len(d.b))
	}
	if d.err != nil {
		return Batch{}, fmt.Errorf("rollout: %w", d.err)
	}
	return batch, nil
}

type encoder struct{ b []byte }

func (e *encoder) uint(v uint64)    { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int)        { e.b = binary.AppendVarint(e.b, int64(v)) }
func (e *encoder) byte(v byte)      { e.b = append(e.b, v) }
func (e *encoder) string(s string)  { e.uint(uint64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) bytes(s []byte)   { e.uint(uint64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) time(t time.Time) { e.b = binary.AppendVarint(e.b, nanos(t)) }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) devices(ds []int32) {
	e.uint(uint64(len(ds)))
	var last int32
	for _, d := range ds {
		e.int(int(d - last))
		last = d
	}
}

func (e *encoder) floats(vs []float64) {
	e.uint(uint64(len(vs)))
	for _, v := range vs {
		e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v))
	}
}

func (e *encoder) times(ts []time.Time) {
	e.uint(uint64(len(ts)))
	var last int64
	for _, t := range ts {
		n := nanos(t)
		e.b = binary.AppendVarint(e.b, n-last)
		last = n
	}
}

// json writes a value that people look at more often than machines do: requests, decisions.
func (e *encoder) json(v any) {
	b, err := json.Marshal(v)
	if err != nil { // plain data of this package: cannot fail
		panic(fmt.Sprintf("rollout: %T does not marshal: %v", v, err))
	}
	e.bytes(b)
}

// moreFields says that another byte tells which further fields of a report follow.
const (
	moreFields byte = 1 << 7
	hasIdle    byte = 1 << 0
	hasProbes  byte = 1 << 1
)

func (e *encoder) reports(rs []TaskReport) {
	e.uint(uint64(len(rs)))
	var last int32
	for i := range rs {
		r := &rs[i]
		e.int(int(r.Device - last))
		last = r.Device
		e.uint(uint64(r.Seq))
		// Most reports are a phase and nothing else: one byte says which of the other fields follow.
		var has byte
		for bit, set := range [...]bool{r.Fault != 0, r.Message != "", r.Ref != "", r.Reboot != 0, r.BootID != "", r.RetryAfter != 0, r.Backup != (Backup{})} {
			if set {
				has |= 1 << bit
			}
		}
		if r.Idle != 0 || len(r.Probes) > 0 {
			has |= moreFields
		}
		e.byte(byte(r.Phase))
		e.byte(has)
		if r.Fault != 0 {
			e.byte(byte(r.Fault))
		}
		if r.Message != "" {
			e.string(r.Message)
		}
		if r.Ref != "" {
			e.string(r.Ref)
		}
		if r.Reboot != 0 {
			e.byte(byte(r.Reboot))
		}
		if r.BootID != "" {
			e.string(r.BootID)
		}
		if r.RetryAfter != 0 {
			e.b = binary.AppendVarint(e.b, int64(r.RetryAfter))
		}
		if r.Backup != (Backup{}) {
			e.backup(r.Backup)
		}
		if has&moreFields != 0 {
			var more byte
			if r.Idle != 0 {
				more |= hasIdle
			}
			if len(r.Probes) > 0 {
				more |= hasProbes
			}
			e.byte(more)
			if r.Idle != 0 {
				e.byte(byte(r.Idle))
			}
			if len(r.Probes) > 0 {
				e.probes(r.Probes)
			}
		}
	}
}

// A decoder reads what an encoder wrote. After the first error every value is zero. At the end of a body values are zero
// too, without an error: the entry is older than the field.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
	d.b = nil
}

func (d *decoder) uint() uint64 {
	if len(d.b) == 0 {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	if len(d.b) == 0 {
		return 0
	}
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int { return int(d.varint()) }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool { return d.byte() != 0 }

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail("length %d, but %d bytes are left", n, len(d.b))
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string  { return string(d.bytes()) }
func (d *decoder) time() time.Time { return instant(d.varint()) }

// count reads the length of a list whose elements take at least least bytes each.
func (d *decoder) count(least int) int {
	n := d.uint()
	if n > uint64(len(d.b)/least) {
		d.fail("list of %d, but %d bytes are left", n, len(d.b))
		return 0
	}
	return int(n)
}

func (d *decoder) device(last int32) int32 {
	v := int64(last) + d.varint()
	if v < 0 || v > math.MaxInt32 {
		d.fail("device number %d", v)
		return 0
	}
	return int32(v)
}

func (d *decoder) devices() []int32 {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	ds := make([]int32, n)
	var last int32
	for i := range ds {
		last = d.device(last)
		ds[i] = last
	}
	return ds
}

func (d *decoder) floats() []float64 {
	n := d.count(8)
	if n == 0 {
		return nil
	}
	vs := make([]float64, n)
	for i := range vs {
		vs[i] = math.Float64frombits(binary.LittleEndian.Uint64(d.b))
		d.b = d.b[8:]
	}
	return vs
}

func (d *decoder) times() []time.Time {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	ts := make([]time.Time, n)
	var last int64
	for i := range ts {
		last += d.varint()
		ts[i] = instant(last)
	}
	return ts
}

func (d *decoder) json(v any) {
	b := d.bytes()
	if len(b) == 0 || d.err != nil {
		return
	}
	if err := json.Unmarshal(b, v); err != nil {
		d.fail("%w", err)
	}
}

func (d *decoder) reports() []TaskReport {
	n := d.count(4)
	if n == 0 {
		return nil
	}
	rs := make([]TaskReport, n)
	var last int32
	for i := range rs {
		r := &rs[i]
		r.Device = d.device(last)
		last = r.Device
		r.Seq = uint32(d.uint())
		r.Phase = Phase(d.byte())
		has := d.byte()
		if has&1 != 0 {
			r.Fault = patch.Fault(d.byte())
		}
		if has&2 != 0 {
			r.Message = d.string()
		}
		if has&4 != 0 {
			r.Ref = d.string()
		}
		if has&8 != 0 {
			r.Reboot = patch.Tri(d.byte())
		}
		if has&16 != 0 {
			r.BootID = d.string()
		}
		if has&32 != 0 {
			r.RetryAfter = time.Duration(d.varint())
		}
		if has&64 != 0 {
			r.Backup = d.backup()
		}
		if has&moreFields != 0 {
			more := d.byte()
			if more&hasIdle != 0 {
				r.Idle = patch.Tri(d.byte())
			}
			if more&hasProbes != 0 {
				r.Probes = d.probes()
			}
		}
	}
	return rs
}

// nanos and instant map the zero time to zero, which no rollout ever sees otherwise.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
