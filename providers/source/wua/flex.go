package wua

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// A flexBool is true or false, also as 1, 0 and the -1 of COM, and as a text.
type flexBool bool

func (f *flexBool) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `"`)) {
	case "true", "1", "-1":
		*f = true
	case "false", "0":
		*f = false
	default:
		return fmt.Errorf("%.40q is neither true nor false", b)
	}
	return nil
}

// tri returns what f says, and unknown for nil.
func (f *flexBool) tri() patch.Tri {
	if f == nil {
		return patch.Unknown
	}
	return patch.TriOf(bool(*f))
}

// A flexInt is a whole number, also with decimals that are zero, and as a text: a DECIMAL of COM is written in all these ways.
type flexInt int64

func (f *flexInt) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	text := strings.Trim(string(b), `"`)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		*f = flexInt(n)
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) >= 1<<53 {
		return fmt.Errorf("%.40q is no whole number", b)
	}
	*f = flexInt(n)
	return nil
}

// A flexTime is a time of RFC 3339, without an offset in UTC, or the milliseconds since 1970 of Windows PowerShell.
type flexTime time.Time

func (f *flexTime) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%.40q is no time", b)
	}
	if rest, found := strings.CutPrefix(text, "/Date("); found {
		ms, err := strconv.ParseInt(strings.TrimSuffix(rest, ")/"), 10, 64)
		if err != nil || ms < 0 || ms > 253402300799999 {
			return fmt.Errorf("%.40q is no time", text)
		}
		*f = flexTime(time.UnixMilli(ms).UTC())
		return nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			*f = flexTime(at.UTC())
			return nil
		}
	}
	if text == "" {
		return nil
	}
	return fmt.Errorf("%.40q is no time", text)
}

// A flexList is an array, or one element that PowerShell took out of its array.
type flexList[T any] []T

func (f *flexList[T]) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]T)(f))
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	if string(b) != "null" {
		*f = flexList[T]{one}
	}
	return nil
}

// plain returns JSON in one line, and a text without its quotes.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// kbNumber returns the number of a KB, which may have "KB" before it.
func kbNumber(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if len(text) > 2 && strings.EqualFold(text[:2], "KB") {
		text = text[2:]
	}
	return text, len(text) >= 5 && len(text) <= 8 && strings.Trim(text, "0123456789") == ""
}

func cveName(text string) (string, bool) {
	text = strings.TrimSpace(text)
	return text, source.IsCVE(text)
}

func word(text string) (string, bool) {
	text = strings.TrimSpace(text)
	return text, text != ""
}
