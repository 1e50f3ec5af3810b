package script

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

const story = `# A story.

start q1 by=olga reason="one two"
    day 1, 09:00
    install ada

# Then:
q2: fail ada transient "404 = gone"
wait

# The end.
`

func ExampleParse() {
	s, err := Parse("ada.story", []byte("# Ada is fine.\nok ada\n    ada: succeeded\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	c, _ := s.Steps[0].Command()
	fmt.Println(s.Steps[0].Line, c.Name, c.Args, s.Steps[0].Want)
	// Output: 2 ok [ada] [ada: succeeded]
}

func TestAStoryComesBackAsItWasRead(t *testing.T) {
	s, err := Parse("x", []byte(story))
	require.NoError(t, err)
	require.Equal(t, story, string(s.Print()))
	require.Len(t, s.Steps, 3)
	require.Equal(t, 3, s.Steps[0].Line)
	require.Equal(t, []string{"day 1, 09:00", "install ada"}, s.Steps[0].Want)
}

func TestACommandIsTakenApart(t *testing.T) {
	s, err := Parse("x", []byte(story))
	require.NoError(t, err)
	c, err := s.Steps[0].Command()
	require.NoError(t, err)
	require.Equal(t, []string{"q1"}, c.Args)
	reason, ok := c.Option("reason")
	require.True(t, ok)
	require.Equal(t, "one two", reason)
	require.EqualError(t, c.Rest(), `start: unknown option "by"`)

	c, err = s.Steps[1].Command()
	require.NoError(t, err)
	require.Equal(t, "q2", c.Prefix)
	require.True(t, c.Flag("transient"))
	require.False(t, c.Flag("transient"))
	require.Equal(t, []string{"ada", "404 = gone"}, c.Args)
	require.NoError(t, c.Rest())
}

func TestBadStoriesAreRefusedWithTheirLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"    first", "script: f:1: a consequence before the first command"},
		{"ok\n  two", "script: f:2: indented by less than four spaces"},
		{"ok\n\ttab", "script: f:2: a tab or carriage return; lines are indented by four spaces"},
		{"ok\n\n    late", "script: f:3: a consequence that does not stand below its command"},
	} {
		_, err := Parse("f", []byte(c.text))
		require.EqualError(t, err, c.want)
	}
	_, err := (&Step{Text: `say "hello`}).Command()
	require.EqualError(t, err, "a quote that is not closed")
	_, err = (&Step{Text: "q1:"}).Command()
	require.EqualError(t, err, "a prefix without a command")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(story))
	f.Add([]byte("a\n    b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		s, err := Parse("f", data)
		if err != nil {
			return
		}
		for i := range s.Steps {
			_, _ = s.Steps[i].Command()
		}
		once := s.Print()
		again, err := Parse("f", once)
		require.NoError(t, err)
		require.Equal(t, string(once), string(again.Print()))
	})
}
