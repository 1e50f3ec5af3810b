//go:build !unix

package peers

import "time"

// clock returns the time on the wall: use a machine that does nothing else.
func clock() time.Duration { return time.Duration(time.Now().UnixNano()) }
