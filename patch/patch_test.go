package patch_test

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/patchflow/patchflow/patch"
)

// enumTest runs the promises of all enumerations on one of them.
func enumTest[E interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}](t *testing.T, names []string, what string, read func(text []byte) (E, error)) {
	t.Helper()
	for v, name := range names {
		e := E(v)
		require.Equal(t, name, e.String())
		text, err := e.MarshalText()
		require.NoError(t, err)
		require.Equal(t, name, string(text))
		back, err := read(text)
		require.NoError(t, err)
		require.Equal(t, e, back)
	}
	beyond := E(len(names))
	require.Equal(t, fmt.Sprintf("%s(%d)", what, len(names)), beyond.String())
	_, err := beyond.MarshalText()
	require.EqualError(t, err, fmt.Sprintf("%s %d has no name", what, len(names)))
	for _, wrong := range []string{"", "Unknown", " unknown", "nonsense"} {
		_, err := read([]byte(wrong))
		require.ErrorContains(t, err, fmt.Sprintf("%q is no %s: want one of %s, ", wrong, what, names[0]))
	}
}

func TestEnumsAreWrittenAndReadByName(t *testing.T) {
	t.Run("classification", func(t *testing.T) {
		enumTest(t, []string{"unknown", "security", "critical", "bugfix", "definition", "rollup", "feature", "driver", "firmware", "optional"},
			"classification", func(b []byte) (c patch.Classification, err error) { err = c.UnmarshalText(b); return })
	})
	t.Run("severity", func(t *testing.T) {
		enumTest(t, []string{"unrated", "low", "moderate", "important", "critical"},
			"severity", func(b []byte) (s patch.Severity, err error) { err = s.UnmarshalText(b); return })
	})
	t.Run("reboot", func(t *testing.T) {
		enumTest(t, []string{"unknown", "never", "maybe", "always"},
			"reboot", func(b []byte) (r patch.Reboot, err error) { err = r.UnmarshalText(b); return })
	})
	t.Run("reversal", func(t *testing.T) {
		enumTest(t, []string{"unknown", "none", "uninstall", "reinstall", "snapshot"},
			"reversal", func(b []byte) (r patch.Reversal, err error) { err = r.UnmarshalText(b); return })
	})
	t.Run("answer", func(t *testing.T) {
		enumTest(t, []string{"unknown", "no", "yes"},
			"answer", func(b []byte) (v patch.Tri, err error) { err = v.UnmarshalText(b); return })
	})
	t.Run("fault", func(t *testing.T) {
		enumTest(t, []string{"none", "transient", "busy", "unreachable", "disk-full", "corrupt", "needs-user",
			"not-applicable", "superseded", "already-installed", "permanent", "untrusted"},
			"fault", func(b []byte) (f patch.Fault, err error) { err = f.UnmarshalText(b); return })
	})
}

func TestPatchSurvivesJSONAndYAML(t *testing.T) {
	p := patch.Patch{ID: "d:1", Classification: patch.ClassRollup, Severity: patch.SeverityImportant, Reboot: patch.RebootMaybe,
		Reversal: patch.ReversalReinstall, Advisories: []patch.Advisory{{ID: "DSA-1", Exploited: patch.Yes}}, Released: day(3)}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"d:1","classification":"rollup","severity":"important","reboot":"maybe","reversal":"reinstall",
		"advisories":[{"id":"DSA-1","severity":"unrated","exploited":"yes"}],"released":"2025-01-03T00:00:00Z"}`, string(text))
	var back patch.Patch
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, p, back)

	text, err = yaml.Marshal(map[string]any{"severity": patch.SeverityLow, "reboot": patch.RebootNever})
	require.NoError(t, err)
	require.YAMLEq(t, "severity: low\nreboot: never\n", string(text))
	var values struct{ Severity patch.Severity }
	require.NoError(t, yaml.Unmarshal([]byte("severity: critical"), &values))
	require.Equal(t, patch.SeverityCritical, values.Severity)
	require.ErrorContains(t, yaml.Unmarshal([]byte("severity: dire"), &values), `"dire" is no severity`)
}

func TestTheZeroValueOfAnEnumIsTheUnknownOne(t *testing.T) {
	var p patch.Patch
	require.Equal(t, patch.ClassUnknown, p.Classification)
	require.Equal(t, patch.SeverityUnrated, p.Severity)
	require.Equal(t, patch.RebootUnknown, p.Reboot)
	require.Equal(t, patch.ReversalUnknown, p.Reversal)
	require.False(t, p.Reversal.Possible())
	require.Equal(t, patch.Unknown, p.Exploited())
}

func TestReversalPossible(t *testing.T) {
	require.True(t, patch.ReversalUninstall.Possible())
	require.True(t, patch.ReversalReinstall.Possible())
	require.False(t, patch.ReversalNone.Possible())
	require.False(t, patch.ReversalSnapshot.Possible())
}

func TestTriOf(t *testing.T) {
	require.Equal(t, patch.Yes, patch.TriOf(true))
	require.Equal(t, patch.No, patch.TriOf(false))
}

func TestFaultOf(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("apt: install: %w", fmt.Errorf("openssl: %w", err)) }
	tests := []struct {
		name string
		err  error
		want patch.Fault
	}{
		{"nil", nil, patch.NoFault},
		{"an error that nobody classified", errors.New("?"), patch.Transient},
		{"a timeout", context.DeadlineExceeded, patch.Transient},
		{"a cancelled call", context.Canceled, patch.Transient},
		{"an unreadable record", patch.ErrRecord, patch.Transient},
		{"busy", patch.ErrBusy, patch.Busy},
		{"unreachable", patch.ErrUnreachable, patch.Unreachable},
		{"disk full", patch.ErrDiskFull, patch.DiskFull},
		{"corrupt", patch.ErrCorrupt, patch.Corrupt},
		{"needs a user", patch.ErrNeedsUser, patch.NeedsUser},
		{"not applicable", patch.ErrNotApplicable, patch.NotApplicable},
		{"superseded", patch.ErrSuperseded, patch.Superseded},
		{"already installed", patch.ErrAlreadyInstalled, patch.AlreadyInstalled},
		{"permanent", patch.ErrPermanent, patch.Permanent},
		{"unsupported", errors.ErrUnsupported, patch.Permanent},
		{"untrusted", patch.ErrUntrusted, patch.Untrusted},
		{"retry after, unclassified", &patch.RetryAfterError{After: time.Minute, Err: errors.New("429")}, patch.Transient},
		{"retry after, busy", &patch.RetryAfterError{After: time.Minute, Err: patch.ErrBusy}, patch.Busy},
		{"permanent and busy", errors.Join(patch.ErrBusy, patch.ErrPermanent), patch.Permanent},
		{"untrusted and permanent", errors.Join(patch.ErrPermanent, patch.ErrUntrusted), patch.Untrusted},
		{"already installed and unreachable", errors.Join(patch.ErrAlreadyInstalled, patch.ErrUnreachable), patch.Unreachable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, patch.FaultOf(test.err))
			if test.err == nil {
				return
			}
			require.Equal(t, test.want, patch.FaultOf(wrap(test.err)), "wrapped")
			require.Equal(t, test.want, patch.FaultOf(errors.Join(errors.New("other"), wrap(test.err))), "joined")
			gathered := multierror.Append(nil, errors.New("other"), wrap(test.err))
			require.Equal(t, test.want, patch.FaultOf(wrap(gathered.ErrorOrNil())), "gathered")
		})
	}
	require.Equal(t, patch.NoFault, patch.FaultOf((*multierror.Error)(nil).ErrorOrNil()))
}

func TestRetryAfterErrorKeepsItsTime(t *testing.T) {
	err := fmt.Errorf("msrc: %w", &patch.RetryAfterError{After: 90 * time.Second, Err: patch.ErrBusy})
	var after *patch.RetryAfterError
	require.ErrorAs(t, err, &after)
	require.Equal(t, 90*time.Second, after.After)
	require.ErrorIs(t, err, patch.ErrBusy)
	require.EqualError(t, err, "msrc: retry after 1m30s: busy")
}

func TestFaultDone(t *testing.T) {
	for f := patch.NoFault; f <= patch.Untrusted; f++ {
		want := f == patch.NotApplicable || f == patch.Superseded || f == patch.AlreadyInstalled
		require.Equal(t, want, f.Done(), f.String())
	}
}

func TestIDParts(t *testing.T) {
	tests := []struct {
		id             patch.ID
		source, native string
	}{
		{"msrc:KB5055523", "msrc", "KB5055523"},
		{"debian:bookworm/openssl=1:3.0.17-1", "debian", "bookworm/openssl=1:3.0.17-1"},
		{"KB5055523", "", "KB5055523"},
		{":x", "", "x"},
		{"x:", "x", ""},
		{"", "", ""},
	}
	for _, test := range tests {
		require.Equal(t, test.source, test.id.Source(), test.id)
		require.Equal(t, test.native, test.id.Native(), test.id)
	}
}

func TestExploited(t *testing.T) {
	tests := []struct {
		advisories []patch.Tri
		want       patch.Tri
	}{
		{nil, patch.Unknown},
		{[]patch.Tri{patch.No}, patch.No},
		{[]patch.Tri{patch.No, patch.No}, patch.No},
		{[]patch.Tri{patch.No, patch.Unknown}, patch.Unknown},
		{[]patch.Tri{patch.Unknown, patch.No}, patch.Unknown},
		{[]patch.Tri{patch.Unknown, patch.No, patch.Yes}, patch.Yes},
		{[]patch.Tri{patch.Yes, patch.No}, patch.Yes},
	}
	for _, test := range tests {
		var p patch.Patch
		for _, v := range test.advisories {
			p.Advisories = append(p.Advisories, patch.Advisory{Exploited: v})
		}
		require.Equal(t, test.want, p.Exploited(), "%v", test.advisories)
	}
}

func TestCVEsAreNamedOnce(t *testing.T) {
	p := patch.Patch{Advisories: []patch.Advisory{{CVEs: []string{"CVE-2", "CVE-1"}}, {}, {CVEs: []string{"CVE-1", "CVE-3", "CVE-3"}}}}
	require.Equal(t, []string{"CVE-2", "CVE-1", "CVE-3"}, p.CVEs())
	require.Empty(t, (&patch.Patch{}).CVEs())
}
