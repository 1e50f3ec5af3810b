package policy

import (
	"errors"
	"fmt"
	"time"
)

// ErrZone is wrapped by the errors for a time zone that is not known: that the zone database of this host lacks, or that
// nobody has said.
var ErrZone = errors.New("unknown time zone")

// loadZone returns the zone called name. It is the one place of this package that touches the zone database of the host.
func loadZone(name string) (*time.Location, error) {
	// For time.LoadLocation these two mean UTC and the zone of whatever host the engine runs on. Neither is a device's.
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q: %w", name, ErrZone)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", clip(name), ErrZone)
	}
	return loc, nil
}
