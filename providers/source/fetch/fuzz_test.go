package fetch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Headers are the server's. Whatever they hold, what is read from them is within bounds.
func FuzzHeaders(f *testing.F) {
	f.Add("bytes 0-9/10")
	f.Add("bytes 4-3/10")
	f.Add("bytes 0-9/*")
	f.Add("bytes 0-18446744073709551615/18446744073709551616")
	f.Add("120")
	f.Add("Sun, 22 Nov 2026 12:00:00 GMT")
	f.Add("Sunday, 22-Nov-26 12:00:00 GMT")
	f.Add("4294967295")
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if start, end, total, ok := contentRange(value); ok {
			require.True(t, 0 <= start && start <= end && end < total, "%q", value)
			again := fmt.Sprintf("bytes %d-%d/%d", start, end, total)
			s, e, n, ok := contentRange(again)
			require.True(t, ok && s == start && e == end && n == total, "%q", again)
		}
		d := retryAfter(value, now)
		require.True(t, 0 <= d && d <= 7*24*time.Hour, "%q: %s", value, d)
		key := keyOf(value)
		require.Equal(t, -1, strings.IndexFunc(key, func(r rune) bool { return r > 'z' || strings.ContainsRune(`/\:*?"<>|. `, r) }), "%q", key)
		require.LessOrEqual(t, len(key), 80)
	})
}
