package bench

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// thousand is how many devices report at once.
const thousand = 1000

// plain is a batch as encoding/json sees it: of the same fields, without the step of finding out what an event is.
type plain struct {
	At        time.Time
	Answered  rollout.Answered
	Issued    *rollout.Issued        `json:",omitempty"`
	Postponed *rollout.Postponed     `json:",omitempty"`
	Settled   *rollout.DeviceSettled `json:",omitempty"`
}

func plainOf(tb testing.TB, b rollout.Batch) plain {
	p := plain{At: b.At}
	for _, e := range b.Events {
		switch e := e.(type) {
		case rollout.Answered:
			p.Answered = e
		case rollout.Issued:
			p.Issued = &e
		case rollout.Postponed:
			p.Postponed = &e
		case rollout.DeviceSettled:
			p.Settled = &e
		default:
			tb.Fatalf("the batch holds a %T", e)
		}
	}
	return p
}

// decided returns what a machine decides when a thousand of 10,000 devices report at once that their installation has
// ended like r.
func decided(tb testing.TB, r rollout.Report) rollout.Batch {
	p, err := rollout.NewPlan(input(uuids(10*thousand), everyone()))
	require.NoError(tb, err)
	m := issued(tb, p)
	reports := successes(10*thousand, 1)[:thousand]
	for i := range reports {
		reports[i].Report = r
	}
	b, err := m.Step(rollout.Reported{At: start(), Reports: reports})
	require.NoError(tb, err)
	return b
}

// encoding measures the codec of the journal with a batch of a thousand installations that went well.
func encoding(tb testing.TB) *contest {
	return codec(tb, "Codec: 1,000 installations succeed", decided(tb, rollout.Report{Phase: rollout.PhaseSucceeded}), 1./8)
}

// encodingTexts does so with a thousand that failed, each with a message and the provider's handle.
func encodingTexts(tb testing.TB) *contest {
	return codec(tb, "Codec: 1,000 installations fail, with texts", decided(tb, rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.Transient,
		Message: "Could not connect to mirror.example:80, connection timed out", Ref: "job-2026-11-24-000001"}), 1./3)
}

// codec measures writing and reading a batch; encode is the goal for writing, since copying texts costs everybody the same.
func codec(tb testing.TB, name string, batch rollout.Batch, encode float64) *contest {
	const repeat = 100
	own, peer := rollout.EncodeBatch(nil, batch), plainOf(tb, batch)
	text, err := json.Marshal(peer)
	require.NoError(tb, err)

	again, err := rollout.DecodeBatch(own)
	require.NoError(tb, err)
	require.Empty(tb, cmp.Diff(batch.Events, again.Events))
	var back plain
	require.NoError(tb, json.Unmarshal(text, &back))
	require.Empty(tb, cmp.Diff(peer, back))

	timed := func(name string, once func() error) side {
		return side{name: name, per: repeat * thousand, run: func() {
			for range repeat {
				if err := once(); err != nil {
					tb.Fatal(err)
				}
			}
		}}
	}
	var buf []byte
	c := &contest{
		name: fmt.Sprintf("%s: %.1f bytes per device, as JSON %.1f", name, float64(len(own))/thousand, float64(len(text))/thousand),
		sides: []side{
			timed("json.Marshal", func() error { _, err := json.Marshal(peer); return err }),
			timed("EncodeBatch", func() error { buf = rollout.EncodeBatch(buf[:0], batch); return nil }),
			timed("json.Unmarshal", func() error { var p plain; return json.Unmarshal(text, &p) }),
			timed("DecodeBatch", func() error { _, err := rollout.DecodeBatch(own); return err }),
		},
		goals: []goal{{"EncodeBatch", "json.Marshal", encode}, {"DecodeBatch", "json.Unmarshal", 1. / 8}},
	}
	return c
}

func BenchmarkCodec(b *testing.B) {
	b.Run("succeed", func(b *testing.B) { bench(b, encoding) })
	b.Run("fail", func(b *testing.B) { bench(b, encodingTexts) })
}
