package rollouttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/patchflow/patchflow/internal/script"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// RunStory runs the story in the file at path and compares what follows from each of its commands with the indented lines
// below it. With update it rewrites those lines instead, for a person to review.
//
// A story drives one or more rollouts under one [rollout.Agenda], in virtual time that begins on day 1, a Monday, at 09:00
// UTC. Devices begin work as soon as they may; what becomes of it the story says. The commands that set the scene are
// explained at the switch in scene.setup, the others at the one in story.play.
//
// Everything that happens also happens to shadows: machines that were made by replaying the journal as it was after each
// earlier step, as by a host that crashed there. A shadow must decide the same, byte by byte, and give the same answers to
// every question; a journal whose last entry is torn must do so too once the lost signal comes again. Where they
// part company the story fails, whatever its lines say.
func RunStory(t *testing.T, path string, update bool) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Parse(filepath.Base(path), data)
	if err != nil {
		t.Fatal(err)
	}
	st := newStory()
	for i := range s.Steps {
		step := &s.Steps[i]
		got, err := st.do(step)
		if err != nil {
			t.Fatalf("%s:%d: %s: %v\nso far:\n%s", path, step.Line, step.Text, err, strings.Join(got, "\n"))
		}
		if update {
			step.Want = got
			continue
		}
		if diff := cmp.Diff(step.Want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:%d: %s (-want +got):\n%s", path, step.Line, step.Text, diff)
		}
	}
	if text := s.Print(); update && string(text) != string(data) {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type story struct {
	scene  scene
	start  time.Time
	now    time.Time
	shown  time.Time // the time that was printed last
	agenda *rollout.Agenda
	runs   []*storyRun
	out    []string
}

// A storyRun is one rollout of a story.
type storyRun struct {
	name string
	tape *tape
}

func newStory() *story {
	start := time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC)
	return &story{start: start, now: start, agenda: &rollout.Agenda{}}
}

func (st *story) do(step *script.Step) ([]string, error) {
	st.out = nil
	c, err := step.Command()
	if err != nil {
		return nil, err
	}
	known, err := st.scene.setup(c)
	if !known {
		err = st.play(c)
	}
	if err == nil {
		err = c.Rest()
	}
	if err == nil && known && len(c.Args) > 1 {
		err = fmt.Errorf("unexpected %q", c.Args[1])
	}
	return st.out, err
}

// play carries out the commands that make something happen.
func (st *story) play(c *script.Command) error {
	switch c.Name {
	case "start": // start q1 by=olga devices=ada,bob patches=p1 salt=x: begin a rollout; without devices and patches: all
		return st.begin(c)
	case "ok", "running", "queued", "stopped", "missing", "fail":
		// ok ada bob: the task that each of them is at succeeds; without names: of all that are at something
		// running ada ref=17, queued ada, stopped ada: the task has come that far
		// missing ada: what is verified is not there
		// fail ada transient "404 not found" after=2h: the task fails
		// also: reboot=yes (a restart is owed), boot=b2 (this boot), seq=1 (about an earlier task), idle=yes (no earlier task runs any more), backup=b7 made=3h (this backup, of so long ago, or of the future),
		// down=till,web unknown=db (probes that are not found up; all others are)
		return st.report(c)
	case "done": // done ada bob: all that follows succeeds too, until they are at nothing; without names: for all
		return st.done(c)
	case "escalate": // escalate ada,bob p1 exploited: a patch has become urgent there
		return st.escalate(c)
	case "sample": // sample ada,bob boot 12 ago=2h: a metric of theirs; without names (-): of all
		return st.sample(c)
	case "defer": // defer ada by=eva for=2h: somebody there wants to put the restart off
		return st.deferral(c)
	case "fine", "broke": // broke ada by=eva text="no sound": what somebody says of a device
		return st.voice(c)
	case "gather": // gather p1 tenants=5 failing=3 devices=100 failed=20: what became of it elsewhere
		return st.gather(c)
	case "wait": // wait: until time matters next; wait 2h: as long as that, ticking whenever time matters
		return st.wait(c)
	case "until": // until day 3 09:00: as wait
		return st.until(c)
	case "sleep": // sleep 2h: as wait 2h, but nobody ticks meanwhile, as with a host that was down
		d, err := duration(arg(c, 0))
		if err != nil {
			return err
		}
		st.now = st.now.Add(d)
		return st.tick()
	case "approve", "deny": // approve canary by=hans reason="looks good" digest=wrong request=q1/x: answer the request of a ring
		// also groups=board,staff, rule="pilot is fine", expires=2h, emergency="why" with review=24h
		return st.decide(c)
	case "pause", "resume", "halt", "cancel", "undo", "undo-ring", "undo-device", "skip", "promote", "release", "review", "acknowledge", "withdraw", "stop", "retry":
		// undo-ring canary, promote canary; undo-device ada, skip ada, acknowledge ada; release p1; review canary; retry ada,bob: also by=hans reason="why" and the words force, now
		return st.command(c)
	case "seen", "grant": // seen bob: he was heard of; grant bob: he may be worked on, whether that is wanted or not
		r, err := st.run(c)
		if err != nil {
			return err
		}
		ds, err := r.find(c.Args)
		if err != nil {
			return err
		}
		if c.Name == "grant" {
			return st.step(r, rollout.Granted{At: st.now, Devices: ds})
		}
		return st.step(r, rollout.Seen{At: st.now, Devices: ds})
	case "join": // join eve zone=Europe/Oslo patches=p1 site=oslo: a device as in the scene has turned up; also ring=canary, which claims it, and tenant=other
		return st.join(c)
	case "leave": // leave ada,bob retired, moved, reimaged, or relabelled ring=canary: they have left or changed; also by=hans reason="why"
		return st.leave(c)
	case "back": // back 1h: a tick from the past
		d, err := duration(arg(c, 0))
		if err != nil {
			return err
		}
		r, err := st.run(c)
		if err != nil {
			return err
		}
		return st.step(r, rollout.Tick{At: st.now.Add(-d)})
	case "crash": // crash by=host2: the host dies, and another one takes over
		return st.crash(c)
	case "show": // how everything stands
		return st.show()
	case "explain": // explain bob: why it is where it is
		return st.explain(c)
	case "quarantine": // what is not offered again
		return st.quarantine(c)
	case "reviews": // what was approved in an emergency, and whether somebody has looked at it
		return st.reviews(c)
	}
	return errors.New("unknown command")
}

func arg(c *script.Command, i int) string {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return ""
}

func duration(s string) (time.Duration, error) {
	var d policy.Duration
	err := d.UnmarshalText([]byte(s))
	return d.Std(), err
}

// run returns the rollout that a command is about: the one that it names, or the only one.
func (st *story) run(c *script.Command) (*storyRun, error) {
	for _, r := range st.runs {
		if r.name == c.Prefix || c.Prefix == "" && len(st.runs) == 1 {
			return r, nil
		}
	}
	if c.Prefix == "" {
		return nil, fmt.Errorf("there are %d rollouts: say which one", len(st.runs))
	}
	return nil, fmt.Errorf("no rollout %q", c.Prefix)
}

// runOf returns the rollout that a report about device d is for.
func (st *story) runOf(c *script.Command, d string) (*storyRun, error) {
	if c.Prefix == "" {
		for _, r := range st.runs {
			if i, ok := r.tape.plan.Find(inventory.DeviceID(d)); ok && r.tape.live.Device(i).Running {
				return r, nil
			}
		}
	}
	return st.run(c)
}

func (r *storyRun) find(names []string) ([]int32, error) {
	var ds []int32
	for _, n := range names {
		d, ok := r.tape.plan.Find(inventory.DeviceID(n))
		if !ok {
			return nil, fmt.Errorf("no device %q", n)
		}
		ds = append(ds, int32(d))
	}
	return ds, nil
}

func (st *story) begin(c *script.Command) error {
	plan, err := st.scene.plan(c, st.now)
	if err != nil {
		return err
	}
	r := &storyRun{name: arg(c, 0)}
	if r.name == "" || len(c.Args) > 1 {
		return errors.New("want one name")
	}
	if r.tape, err = newTape(plan); err != nil {
		return err
	}
	st.agenda.Limit = st.scene.limit
	st.runs = append(st.runs, r)
	for i := range plan.Rings {
		if m := plan.Rings[i].Merged; len(m) > 0 {
			st.print(r, fmt.Sprintf("ring %s takes the place of %s, which is empty", plan.Rings[i].Name, strings.Join(m, ", ")))
		}
	}
	st.agenda.Add(r.tape.live)
	return st.step(r, rollout.Begin{At: st.now})
}

// step gives a signal to a rollout, tells what followed, and grants what all rollouts want then.
func (st *story) step(r *storyRun, s rollout.Signal) error {
	if err := st.one(r, s, nil); err != nil {
		return err
	}
	return st.grant()
}

func (st *story) one(r *storyRun, s rollout.Signal, granted []int32) error {
	b, err := r.tape.step(s)
	if errors.As(err, new(*refusedError)) {
		st.print(r, "refused: "+strings.TrimPrefix(err.Error(), "rollout: "+r.tape.plan.Key.String()+": "))
		return nil
	}
	if err != nil {
		return err
	}
	st.agenda.Note(r.tape.live, b, granted)
	for _, e := range b.Events {
		st.tell(r, e)
	}
	return nil
}

// grant lets begin what may begin, until nothing more wants to.
func (st *story) grant() error {
	for round, again := 0, true; again; round++ {
		if round > 1000 {
			return errors.New("the rollouts want again and again what they do not begin when it is granted")
		}
		again = false
		for _, r := range st.runs {
			for _, s := range st.agenda.Overtaken(r.tape.live, st.now) {
				if err := st.one(r, s, nil); err != nil {
					return err
				}
			}
			for _, s := range st.agenda.Restarted(r.tape.live, st.now) {
				if err := st.one(r, s, nil); err != nil {
					return err
				}
			}
			if g := st.agenda.Grant(r.tape.live, st.now); len(g) > 0 {
				again = true
				if err := st.one(r, rollout.Granted{At: st.now, Devices: g}, g); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// tick lets every rollout know what time it is.
func (st *story) tick() error {
	for _, r := range st.runs {
		if err := st.one(r, rollout.Tick{At: st.now}, nil); err != nil {
			return err
		}
	}
	if err := st.grant(); err != nil {
		return err
	}
	for _, r := range st.runs {
		if next, ok := r.tape.live.Next(); ok && !next.After(st.now) {
			return fmt.Errorf("rollout %s: at %s Next is %s, although a tick changes nothing any more", r.name, st.day(st.now), st.day(next))
		}
	}
	return nil
}

// next is when time matters next to some rollout.
func (st *story) next() (time.Time, bool) {
	var next time.Time
	for _, r := range st.runs {
		if at, ok := r.tape.live.Next(); ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
		if at, ok := st.agenda.Next(r.tape.plan.Key); ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, !next.IsZero()
}

func (st *story) wait(c *script.Command) error {
	if len(c.Args) > 0 {
		d, err := duration(c.Args[0])
		if err != nil {
			return err
		}
		return st.to(st.now.Add(d))
	}
	next, ok := st.next()
	if !ok {
		st.out = append(st.out, "there is nothing to wait for")
		return nil
	}
	if next.After(st.now) {
		st.now = next
	}
	return st.tick()
}

func (st *story) to(end time.Time) error {
	for {
		next, ok := st.next()
		if !ok || next.After(end) {
			break
		}
		if next.After(st.now) {
			st.now = next
		}
		if err := st.tick(); err != nil {
			return err
		}
	}
	st.now = end
	return st.tick()
}

func (st *story) until(c *script.Command) error {
	var day, hour, minute int
	if _, err := fmt.Sscanf(strings.Join(c.Args, " "), "day %d %d:%d", &day, &hour, &minute); err != nil {
		return errors.New("want until day 3 09:00")
	}
	midnight := st.start.Truncate(24 * time.Hour)
	end := midnight.AddDate(0, 0, day-1).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	if end.Before(st.now) {
		return fmt.Errorf("it is %s already", st.day(st.now))
	}
	return st.to(end)
}

func (st *story) crash(c *script.Command) error {
	by, _ := c.Option("by")
	st.agenda = &rollout.Agenda{Limit: st.scene.limit}
	for _, r := range st.runs {
		if err := r.tape.crash(st.now); err != nil {
			return err
		}
		st.agenda.Add(r.tape.live)
		for a := range r.tape.live.Pending() {
			st.print(r, "again: "+st.action(r, a))
		}
		if by != "" {
			if err := st.one(r, rollout.TakenOver{At: st.now, By: by}, nil); err != nil {
				return err
			}
		}
	}
	return st.grant()
}

// action describes an action.
func (st *story) action(r *storyRun, a rollout.Action) string {
	names := func(ds []int32, op bool) string {
		var words []string
		for _, d := range ds {
			if task, ok := r.tape.live.Task(d); ok && op {
				words = append(words, task.Op.String())
			}
			words = append(words, string(r.tape.plan.Devices[d]))
		}
		return strings.Join(words, " ")
	}
	switch a := a.(type) {
	case rollout.Run:
		return names(a.Devices, true)
	case rollout.Stop:
		return "stop " + names(a.Devices, false)
	case rollout.Ask:
		return fmt.Sprintf("ask for ring %s", a.Request.Ring)
	}
	return fmt.Sprintf("%T", a)
}

// day writes an instant as people speak of it in a story.
func (st *story) day(t time.Time) string {
	midnight := st.start.Truncate(24 * time.Hour)
	since := t.Sub(midnight)
	days := int(since / (24 * time.Hour))
	layout := "15:04"
	if t.Second() != 0 {
		layout = "15:04:05"
	}
	return fmt.Sprintf("day %d, %s", days+1, t.UTC().Format(layout))
}

// print adds a line, after the time if that has changed, and names the rollout if there are several.
func (st *story) print(r *storyRun, line string) {
	if !st.shown.Equal(st.now) {
		st.shown = st.now
		st.out = append(st.out, st.day(st.now))
	}
	if len(st.runs) > 1 {
		line = r.name + ": " + line
	}
	st.out = append(st.out, line)
}

// say renders a message with the story's days in place of dates.
func (st *story) say(m rollout.Message) string {
	m.Params = slices.Clone(m.Params)
	for i := range m.Params {
		if t, err := time.Parse("2006-01-02 15:04 UTC", m.Params[i].Value); err == nil {
			m.Params[i].Value = st.day(t)
		}
	}
	return m.String()
}

// tell prints what an event says. The first one, with the digest of the plan, is left out, and so are reports that were
// accepted: the command says them already. Installations that are not the first are told with their attempt.
func (st *story) tell(r *storyRun, e rollout.Event) {
	switch e.(type) {
	case rollout.Began, rollout.Answered:
		return
	}
	suffix := ""
	if issued, ok := e.(rollout.Issued); ok && issued.Op == rollout.OpInstall && len(issued.Devices) == 1 {
		switch s := r.tape.live.Device(int(issued.Devices[0])); {
		case s.Retrying:
			suffix = ", by hand"
		case s.Attempts > 1:
			suffix = fmt.Sprintf(", attempt %d", s.Attempts)
		}
	}
	for _, m := range r.tape.plan.Describe(e) {
		st.print(r, st.say(m)+suffix)
	}
}
