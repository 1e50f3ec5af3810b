package rollout

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/enum"
)

// Feedback brings what a person says about a device on which an installation was begun. Of what one person says of one device the last
// word counts, and the same word again changes nothing. It is refused, with an error that wraps [ErrCommand], about other devices, from nobody, with no word, with a text that
// is too long, and from somebody who has changed their mind on that device all too often.
type Feedback struct {
	At     time.Time
	Device int32
	By     string // compared without regard to case
	Word   Word
	Text   string // for people; nothing is decided by it
}

func (s Feedback) when() time.Time { return s.At }

// Word is what a person says of a device.
type Word uint8

const (
	NoWord Word = iota // nothing
	Fine               // all is well
	Broke              // the patch broke something
)

func wordNames() enum.Names { return enum.Names{"none", "fine", "broke"} }

// String returns the lower-case name, as used in JSON.
func (w Word) String() string { return wordNames().String("word", int(w)) }

// MarshalText implements [encoding.TextMarshaler].
func (w Word) MarshalText() ([]byte, error) { return wordNames().Text("word", int(w)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (w *Word) UnmarshalText(text []byte) error {
	v, err := wordNames().Parse("word", text)
	if err == nil {
		*w = Word(v)
	}
	return err
}

// Voiced says that what a person says of a device was taken down.
type Voiced struct {
	Device int32
	By     string
	Word   Word
	Text   string
}

func (Voiced) kind() byte { return kindVoiced }

func (v Voiced) encode(e *encoder) {
	e.int(int(v.Device))
	e.string(v.By)
	e.byte(byte(v.Word))
	e.string(v.Text)
}

func decodeVoiced(d *decoder) Voiced {
	return Voiced{Device: int32(d.int()), By: d.string(), Word: Word(d.byte()), Text: d.string()}
}

// byFeedback is why a gate fails for what people say.
const byFeedback = "feedback"

const (
	textLimit  = 4096 // bytes of what a person says
	changeable = 16   // how often a person's word about one device is taken down: the journal must not fill
)

// A voice is a person who speaks of a device.
type voice struct {
	device int32
	by     string
}

// A saying is the last word of a voice.
type saying struct {
	word  Word
	times int
}

func voiceOf(d int32, by string) voice { return voice{d, strings.ToLower(strings.TrimSpace(by))} }

// feedback takes down what a person says.
func (m *Machine) feedback(s Feedback) error {
	no := func(format string, args ...any) error {
		return fmt.Errorf("rollout: %s: feedback of %q: %w: "+format, append([]any{m.plan.Key, s.By, ErrCommand}, args...)...)
	}
	switch {
	case strings.TrimSpace(s.By) == "":
		return no("it is nobody's")
	case s.Device < 0 || int(s.Device) >= len(m.dev):
		return no("there is no device %d in the plan", s.Device)
	case s.Word != Fine && s.Word != Broke:
		return no("%s says nothing", s.Word)
	case len(s.Text) > textLimit:
		return no("a text of %d bytes, more than %d", len(s.Text), textLimit)
	case m.dev[s.Device].flags&(retired|foreign) != 0:
		return no("device %s has left", m.plan.Devices[s.Device])
	case m.dev[s.Device].flags&touched == 0 || m.dev[s.Device].flags&renewed != 0:
		return no("nothing was installed on device %s", m.plan.Devices[s.Device])
	}
	last := m.sayings[voiceOf(s.Device, s.By)]
	switch {
	case last.word == s.Word:
		return nil
	case last.times >= changeable:
		return no("device %s: that was %d changes of mind", m.plan.Devices[s.Device], last.times)
	}
	m.emit(Voiced{Device: s.Device, By: s.By, Word: s.Word, Text: s.Text})
	return nil
}

func (m *Machine) applyVoiced(e Voiced) {
	if m.sayings == nil {
		m.sayings, m.against = make(map[voice]saying), make(map[int32]int)
	}
	v := voiceOf(e.Device, e.By)
	last, r := m.sayings[v], &m.rings[m.dev[e.Device].ring]
	m.sayings[v] = saying{e.Word, last.times + 1}
	for _, change := range [...]struct {
		word Word
		by   int
	}{{last.word, -1}, {e.Word, 1}} {
		switch change.word {
		case Fine:
			r.voices.Fine += change.by
		case Broke:
			before := m.against[e.Device]
			m.against[e.Device] = before + change.by
			r.voices.Broke += change.by
			if before == 0 || before+change.by == 0 {
				r.voices.Against += change.by
			}
		}
	}
	m.dirty = true
}

// complained says whether so many people say that a ring is broken that its gate fails.
func (m *Machine) complained(r int) bool {
	return m.plan.Policy.Health.Feedback.TooMany(m.rings[r].voices)
}

// voices adds what people say to what a gate's message tells, if they say anything.
func (c *Counts) voices() []string {
	if c.Fine+c.Broke == 0 {
		return nil
	}
	return []string{"broke", strconv.Itoa(c.Broke), "answers", strconv.Itoa(c.Fine + c.Broke)}
}
