package rollouttest

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/patchflow/patchflow/internal/script"
	"github.com/patchflow/patchflow/rollout"
)

// A Recording is a journal as some version of the library wrote it, with the state that it led to there. Every later
// version must replay it to the same state.
type Recording struct {
	Name    string          `json:"name"`
	Plan    json.RawMessage `json:"plan"`    // by [rollout.EncodePlan]
	Entries [][]byte        `json:"entries"` // by [rollout.EncodeBatch]
	Digest  string          `json:"digest"`  // of State
	State   string          `json:"state"`   // in words, so that a difference can be seen
}

// Record makes the recording of a journal.
func Record(name string, p *rollout.Plan, entries [][]byte) (Recording, error) {
	r := Recording{Name: name, Entries: entries}
	var err error
	if r.Plan, err = rollout.EncodePlan(p); err != nil {
		return r, err
	}
	m, err := r.machine()
	if err != nil {
		return r, err
	}
	r.State = stateOf(m)
	r.Digest = digestOf(r.State)
	return r, nil
}

func (r *Recording) machine() (*rollout.Machine, error) {
	p, err := rollout.DecodePlan(r.Plan)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	m, did, err := rollout.Replay(p, sequence(r.Entries))
	if err == nil && did.Torn != nil {
		err = did.Torn
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	return m, nil
}

// Check replays the recording, and reads its timeline. The error says where the state is another than it was.
func (r *Recording) Check() error {
	if digestOf(r.State) != r.Digest {
		return fmt.Errorf("%s: the recording itself was changed: its digest does not fit its state", r.Name)
	}
	m, err := r.machine()
	if err != nil {
		return err
	}
	if got := stateOf(m); digestOf(got) != r.Digest {
		return fmt.Errorf("%s: the journal leads to another state than when it was recorded (-then +now):\n%s", r.Name,
			cmp.Diff(strings.Split(r.State, "\n"), strings.Split(got, "\n")))
	}
	t, _, err := rollout.ReadTimeline(*m.Plan(), sequence(r.Entries))
	if err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	for d := range m.Plan().Devices {
		if then, now := m.Device(d).Outcome, t.Device(d)[0].Outcome; then != now {
			return fmt.Errorf("%s: device %s is %s, and %s by the timeline", r.Name, m.Plan().Devices[d], then, now)
		}
	}
	return nil
}

// Events returns the kinds of events in the recording, each once.
func (r *Recording) Events() ([]string, error) {
	var kinds []string
	for i, entry := range r.Entries {
		b, err := rollout.DecodeBatch(entry)
		if err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", r.Name, i+1, err)
		}
		for _, e := range b.Events {
			if kind := strings.TrimPrefix(fmt.Sprintf("%T", e), "rollout."); !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds, nil
}

func digestOf(state string) string {
	sum := sha256.Sum256([]byte(state))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// stateOf tells in words what the events of a journal come to. It tells nothing that a machine works out for the future, which
// newer rules may change, and leaves nothing out because it is new: what is added here changes the digests of old recordings.
func stateOf(m *rollout.Machine) string {
	var b strings.Builder
	s := m.Status()
	fmt.Fprintf(&b, "%s %s at %d, %d active, %d pending, adopted %d times\n", s.Rollout, s.Stage, m.Now().UnixNano(), s.Active, s.Pending, m.Adoptions())
	for i := range s.Rings {
		r := &s.Rings[i]
		fmt.Fprintf(&b, "ring %s %s %q gate %s", r.Name, r.State, r.Held, r.Gate)
		for _, o := range rollout.Outcomes() {
			if n := r.Outcomes[o]; n > 0 {
				fmt.Fprintf(&b, ", %d %s", n, o)
			}
		}
		b.WriteByte('\n')
	}
	for d, id := range m.Plan().Devices {
		seq, running := m.Current(int32(d))
		x := m.Device(d)
		fmt.Fprintf(&b, "device %s %s %s %v task %d, %d attempts, %s, owes %v, offline %v\n", id, x.Outcome, x.Op, running, seq, x.Attempts,
			x.Fault, x.Owes, x.Offline)
	}
	for q := range m.Requests() {
		fmt.Fprintf(&b, "asks %s %s\n", q.ID, q.Digest)
	}
	for _, q := range m.Quarantine() {
		fmt.Fprintf(&b, "quarantine %s %q since %d, %s; released %d by %q\n", q.Patch, q.Device, q.Since.UnixNano(), q.Reason, q.Released.Unix(), q.By)
	}
	for _, r := range m.Reviews() {
		fmt.Fprintf(&b, "review %s of %s due %d by %q\n", r.Request, r.Ring, r.Due.Unix(), r.Reviewer)
	}
	return b.String()
}

// RecordStory plays a story and returns the journals of its rollouts. It does not look at what the story expects.
func RecordStory(path string) ([]Recording, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	s, err := script.Parse(name, data)
	if err != nil {
		return nil, err
	}
	st := newStory()
	for i := range s.Steps {
		if _, err := st.do(&s.Steps[i]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, s.Steps[i].Line, err)
		}
	}
	var all []Recording
	for _, run := range st.runs {
		if len(run.tape.entries) == 0 {
			continue
		}
		r, err := Record(strings.TrimSuffix(name, ".story")+" "+run.name, &run.tape.plan, run.tape.entries)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// WriteRecordings writes recordings to a new file, compressed, one line of JSON for each. It fails if the file exists:
// what a version wrote is never written again.
func WriteRecordings(path string, all []Recording) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	lines := json.NewEncoder(z)
	for i := range all {
		if err := lines.Encode(&all[i]); err != nil {
			return err
		}
	}
	return z.Close()
}

// ReadRecordings reads what [WriteRecordings] wrote.
func ReadRecordings(path string) ([]Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []Recording
	for lines := json.NewDecoder(z); ; {
		var r Recording
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: recording %d: %w", path, len(all)+1, err)
		}
		all = append(all, r)
	}
}
