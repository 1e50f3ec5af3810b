// Package signs tells what a failure of a program means from the words that it prints.
package signs

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
)

// A Sign is words of a program, in the C locale, and what they mean.
type Sign struct {
	Words string
	Class error // one of the sentinels of package patch; nil for a transient failure
	Cause error // more exactly, where somebody asks
}

// Classify returns the error for how a program ended. all are in the order of their weight: the first whose words stand in what the
// program has said counts; said are its texts, the weightiest first. Without a sign a program that is not there, or cannot be
// started, is a permanent failure, and any other a transient one, whose message is the last line of the last text.
func Classify(r transport.Result, all []Sign, said ...[]byte) error {
	for _, text := range said {
		for _, s := range all {
			line := lineWith(text, s.Words)
			if line == "" {
				continue
			}
			err := fmt.Errorf("%s: %s", r, line)
			if s.Cause != nil {
				err = fmt.Errorf("%w: %w", err, s.Cause)
			}
			if s.Class != nil {
				err = fmt.Errorf("%w: %w", err, s.Class)
			}
			return err
		}
	}
	if r.Code == 126 || r.Code == 127 {
		return fmt.Errorf("%s: %s: %w", r, desk.LastLine(r.Stderr), patch.ErrPermanent)
	}
	return fmt.Errorf("%s: %s", r, desk.LastLine(append(bytes.Join(said[:max(len(said)-1, 0)], nil), r.Stderr...)))
}

// lineWith returns the line of text that holds words, trimmed, or "".
func lineWith(text []byte, words string) string {
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(words)) {
			return strings.ToValidUTF8(fmt.Sprintf("%.400s", bytes.TrimSpace(line)), "?")
		}
	}
	return ""
}
