// Package script reads and prints stories: text files in which commands stand at the left margin and what follows from
// each of them is indented by four spaces below it. Lines that begin with # are for the reader; they and blank lines are
// kept as they are. A tab anywhere before the text of a line is an error, since it does not show.
//
//	# Ada fails once, and is tried again.
//	fail ada transient "404 not found"
//	    day 1, 09:00
//	    ada: failed (transient): 404 not found
package script

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// limit bounds the size of a story, in bytes.
const limit = 1 << 20

// indent is what a consequence begins with.
const indent = "    "

// A Script is a story: its commands in order.
type Script struct {
	Name  string // of the file, for errors
	Steps []Step
	tail  []string // comments and blank lines after the last step
}

// A Step is one command with what follows from it.
type Step struct {
	Line int      // of the command, from 1
	Text string   // the command as it stands there
	Want []string // the lines below it, without their indent
	lead []string // comments and blank lines before it
}

// Parse reads a story. Its errors name the file and the line.
func Parse(name string, data []byte) (*Script, error) {
	if len(data) > limit {
		return nil, fmt.Errorf("script: %s: %d bytes; at most %d", name, len(data), limit)
	}
	s := &Script{Name: name}
	var lead []string
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		bad := func(why string) (*Script, error) { return nil, fmt.Errorf("script: %s:%d: %s", name, i+1, why) }
		text := strings.TrimLeft(line, " ")
		switch {
		case strings.HasPrefix(text, "\t"), strings.Contains(line, "\r"):
			return bad("a tab or carriage return; lines are indented by four spaces")
		case text == "":
			lead = append(lead, "")
		case strings.HasPrefix(line, "#"):
			lead = append(lead, line)
		case text == line:
			s.Steps = append(s.Steps, Step{Line: i + 1, Text: strings.TrimRight(line, " "), lead: lead})
			lead = nil
		case !strings.HasPrefix(line, indent):
			return bad("indented by less than four spaces")
		case len(s.Steps) == 0:
			return bad("a consequence before the first command")
		case len(lead) > 0:
			return bad("a consequence that does not stand below its command")
		default:
			last := &s.Steps[len(s.Steps)-1]
			last.Want = append(last.Want, strings.TrimRight(line[len(indent):], " "))
		}
	}
	s.tail = lead
	return s, nil
}

// Print writes s as [Parse] reads it. What was parsed comes back as it was, but for spaces at the ends of lines.
func (s *Script) Print() []byte {
	var b bytes.Buffer
	for i := range s.Steps {
		step := &s.Steps[i]
		for _, l := range step.lead {
			b.WriteString(l + "\n")
		}
		b.WriteString(step.Text + "\n")
		for _, l := range step.Want {
			b.WriteString(indent + l + "\n")
		}
	}
	for _, l := range s.tail {
		b.WriteString(l + "\n")
	}
	return b.Bytes()
}

// A Command is a step taken apart: its name, its words, and its options of the form key=value, or key alone with a
// preceding dash.
type Command struct {
	Prefix  string // "q2" in "q2: ok ada"
	Name    string
	Args    []string
	options []option
}

type option struct {
	key, value string
	used       bool
}

// Command takes the step apart. Words are parted by spaces; a part in double quotes may hold spaces, and stands for itself.
func (s *Step) Command() (*Command, error) {
	words, err := split(s.Text)
	if err != nil {
		return nil, err
	}
	c := &Command{}
	if first := words[0].text; strings.HasSuffix(first, ":") && !words[0].quoted {
		c.Prefix = strings.TrimSuffix(first, ":")
		words = words[1:]
		if c.Prefix == "" || len(words) == 0 {
			return nil, errors.New("a prefix without a command")
		}
	}
	c.Name = words[0].text
	for _, w := range words[1:] {
		key, value, found := strings.Cut(w.text, "=")
		if !found || w.quoted || key == "" {
			c.Args = append(c.Args, w.text)
			continue
		}
		c.options = append(c.options, option{key: key, value: value})
	}
	return c, nil
}

// Option returns the value of an option, and whether it stands there.
func (c *Command) Option(key string) (string, bool) {
	for i := range c.options {
		if o := &c.options[i]; o.key == key {
			o.used = true
			return o.value, true
		}
	}
	return "", false
}

// Each yields every option that nobody has asked for, in order.
func (c *Command) Each(do func(key, value string) error) error {
	for i := range c.options {
		if o := &c.options[i]; !o.used {
			o.used = true
			if err := do(o.key, o.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flag says whether a word stands among the arguments, and takes it out.
func (c *Command) Flag(word string) bool {
	for i, a := range c.Args {
		if a == word {
			c.Args = append(c.Args[:i:i], c.Args[i+1:]...)
			return true
		}
	}
	return false
}

// Rest is an error for the first option that nobody has asked for.
func (c *Command) Rest() error {
	return c.Each(func(key, _ string) error { return fmt.Errorf("%s: unknown option %q", c.Name, key) })
}

type word struct {
	text   string
	quoted bool // begins with a quote
}

func split(s string) ([]word, error) {
	var words []word
	var b strings.Builder
	in, quote, quoted := false, false, false
	end := func() {
		if in {
			words = append(words, word{b.String(), quoted})
			b.Reset()
			in, quoted = false, false
		}
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			if !in {
				quoted = true
			}
			in, quote = true, !quote
		case c == ' ' && !quote:
			end()
		default:
			in = true
			b.WriteByte(c)
		}
	}
	if quote {
		return nil, errors.New("a quote that is not closed")
	}
	end()
	if len(words) == 0 {
		return nil, errors.New("no command")
	}
	return words, nil
}
