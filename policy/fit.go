package policy

import (
	"fmt"
	"time"
)

// Fit says how much of an opening work needs, so that it is done before the opening ends: work begins only while more than
// that is left. The zero Fit asks for nothing.
type Fit struct {
	Work   Duration `json:"work,omitempty" yaml:"work,omitempty"`     // the longest that the work on one device takes
	Reboot Duration `json:"reboot,omitempty" yaml:"reboot,omitempty"` // kept back for a restart, if the policy restarts devices at all: in windows for restarts, if there are any
}

// String returns f on one line: "1h, and 20m for a restart".
func (f Fit) String() string {
	if f.Reboot == 0 {
		return f.Work.String()
	}
	return fmt.Sprintf("%s, and %s for a restart", f.Work, f.Reboot)
}

// seconds returns how much of an opening must be left for work, in whole seconds.
func (f Fit) seconds(r *Reboot) int64 {
	need := f.Work
	if r.Mode != RebootNever && len(r.Windows) == 0 {
		need += f.Reboot
	}
	return wholeSeconds(need)
}

func wholeSeconds(d Duration) int64 { return int64((d.Std() + time.Second - 1) / time.Second) }
