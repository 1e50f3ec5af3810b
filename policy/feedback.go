package policy

import (
	"fmt"

	"github.com/patchflow/patchflow/internal/enum"
)

// Feedback says when the gate of a ring fails for what people say about its devices: that the patch broke something there, or that all is
// fine. Each person counts once for each device, by the last word. The zero Feedback lets nothing fail.
type Feedback struct {
	Count   int        `json:"count,omitempty" yaml:"count,omitempty"`     // so many words that it broke are too many; 0 means that only Broke counts
	Broke   Share      `json:"broke,omitempty" yaml:"broke,omitempty"`     // more than this share is too many; 0 means that only Count counts
	Of      FeedbackOf `json:"of,omitempty" yaml:"of,omitempty"`           // what Broke is a share of
	Answers int        `json:"answers,omitempty" yaml:"answers,omitempty"` // with Broke: so many words at least; 0 means 1
}

// FeedbackOf names what a share of complaints is taken of.
type FeedbackOf uint8

const (
	OfAnswers FeedbackOf = iota // words that it broke, of all words
	OfDevices                   // devices of which somebody says that it broke, of those on which an installation was begun
)

func feedbackNames() enum.Names { return enum.Names{"answers", "devices"} }

// String returns the lower-case name: answers or devices.
func (o FeedbackOf) String() string { return feedbackNames().String("feedback", int(o)) }

// MarshalText implements [encoding.TextMarshaler].
func (o FeedbackOf) MarshalText() ([]byte, error) { return feedbackNames().Text("feedback", int(o)) }

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (o *FeedbackOf) UnmarshalText(text []byte) error {
	v, err := feedbackNames().Parse("feedback", text)
	if err == nil {
		*o = FeedbackOf(v)
	}
	return err
}

// Voices are what people say about the devices of a ring.
type Voices struct {
	Fine    int // words
	Broke   int
	Against int // devices of which somebody says that it broke
	Begun   int // devices on which an installation was begun
}

// TooMany says whether v are so many complaints that a gate fails.
func (f *Feedback) TooMany(v Voices) bool {
	if f.Count > 0 && v.Broke >= f.Count {
		return true
	}
	bad, all := v.Broke, v.Broke+v.Fine
	if f.Broke == 0 || all < max(f.Answers, 1) {
		return false
	}
	if f.Of == OfDevices {
		bad, all = v.Against, v.Begun
	}
	return int64(bad)*int64(whole) > int64(f.Broke)*int64(all)
}

// IsZero says whether f lets nothing fail.
func (f Feedback) IsZero() bool { return f == Feedback{} }

// String returns what is too many, on one line: `3 or more than 20% of answers`.
func (f Feedback) String() string {
	s := ""
	if f.Count > 0 {
		s = fmt.Sprint(f.Count)
	}
	if f.Broke > 0 {
		if s != "" {
			s += " or "
		}
		s += fmt.Sprintf("more than %s of %s", f.Broke, f.Of)
		if f.Answers > 1 {
			s += fmt.Sprintf(", of %d at least", f.Answers)
		}
	}
	if s == "" {
		return "none"
	}
	return s
}

func (c *checker) feedback(path string, f Feedback) {
	c.count(join(path, "count"), f.Count)
	c.share(join(path, "broke"), f.Broke)
	c.enum(join(path, "of"), f.Of)
	c.count(join(path, "answers"), f.Answers)
	if f.Broke == 0 && f.Of != OfAnswers {
		c.fault(join(path, "of"), "there is no share that it could be of: broke is missing")
	}
	if f.Broke == 0 && f.Answers > 0 {
		c.fault(join(path, "answers"), "they count only with a share: broke is missing")
	}
}
