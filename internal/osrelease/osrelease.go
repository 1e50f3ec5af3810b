// Package osrelease reads the file os-release(5), by which a system says what it is.
package osrelease

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// maxFile bounds how much of a file is read, and of a line.
const maxFile = 64 << 10

// Read returns the values of the names that are asked for, without the quotes around them. Of a name that stands several
// times the last value counts. Values with escapes are returned as they stand: none that package managers look at has any. A
// file of more than 64 KiB is an error.
func Read(r io.Reader, names ...string) (map[string]string, error) {
	values := make(map[string]string, len(names))
	counted := &io.LimitedReader{R: r, N: maxFile + 1}
	lines := bufio.NewScanner(counted)
	for lines.Scan() {
		name, value, found := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !found {
			continue
		}
		for _, wanted := range names {
			if name == wanted {
				values[name] = unquote(value)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("os-release: %w", err)
	}
	if counted.N == 0 {
		return nil, fmt.Errorf("os-release: more than %d bytes", maxFile)
	}
	return values, nil
}

func unquote(value string) string {
	for _, quote := range []string{`"`, `'`} {
		if len(value) >= 2 && strings.HasPrefix(value, quote) && strings.HasSuffix(value, quote) {
			return value[1 : len(value)-1]
		}
	}
	return value
}
