package manager

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

func TestAPlanMustBeWhatWasAskedFor(t *testing.T) {
	w := &work{name: "apt"}
	hello := Change{Name: "hello", Arch: "all", From: "1.0", To: "1.1"}
	inst := Move{Name: "hello", Arch: "all", From: "1.0", To: "1.1"}
	for _, row := range []struct {
		name      string
		moves     []Move
		additions bool
		want      string
	}{
		{"the same", []Move{inst}, false, ""},
		{"nothing", nil, false, "would not install hello 1.1"},
		{"another version", []Move{{Name: "hello", Arch: "all", From: "1.0", To: "2.0"}}, false, "install 2.0 of hello instead of 1.1"},
		{"another architecture", []Move{{Name: "hello", Arch: "i386", To: "1.1"}, inst}, false, "twice"},
		{"one more that is new", []Move{inst, {Name: "fresh", Arch: "all", To: "1"}}, false, "install fresh 1 too"},
		{"one more that may be new", []Move{inst, {Name: "fresh", Arch: "all", To: "1"}}, true, ""},
		{"one more that is not new", []Move{inst, {Name: "other", Arch: "all", From: "1", To: "2"}}, true, "change other from 1 to 2 too"},
		{"a removal", []Move{inst, {Remove: true, Name: "rival", From: "1"}}, true, "remove rival 1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := w.compare(&Sight{}, []Change{hello}, row.moves, row.additions)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
			require.Equal(t, patch.Permanent, patch.FaultOf(err))
		})
	}
}
