// Package snapshot keeps the state of a device's file system before it is patched, and takes the device back to it.
//
// [Snapshotter] is the plug, and [Deployer] makes of it what a rollout needs for the backups that a policy asks for. The packages below implement it: btrfs and snapper, both tested on real file systems. They
// reach the device by a transport (package transport), so that one program serves a whole fleet.
//
// A snapshot is no backup: it lies on the same disk, and holds what its file system holds and nothing of others. It takes back
// what packages can not: the files of a device as they were, with everything that was changed since, by whomever.
package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
)

// A Snapshotter keeps states of the file system of one device. It is safe for concurrent use; calls with one name come one
// after the other.
//
// An error is classified by [patch.FaultOf]. A name that [CheckName] refuses is an error of each call.
type Snapshotter interface {
	// Create keeps the state of this moment under name. A name that is kept already stays as it is: the call returns what is
	// kept, with the time at which that was made.
	Create(ctx context.Context, name string) (Snapshot, error)

	// List returns what is kept, the oldest first; of two as old, in the order of their names. What others than this package
	// keep there is left out.
	List(ctx context.Context) ([]Snapshot, error)

	// Restore takes the file system back to a state, which stays kept. A second call takes it back again; one after a
	// call that was broken off goes on with it. For a name that is not kept the error wraps [ErrNotKept], and nothing has
	// changed.
	Restore(ctx context.Context, name string) (Restored, error)

	// Delete gives a state up. One that is not kept is no error.
	Delete(ctx context.Context, name string) error
}

// ErrNotKept is wrapped, together with [patch.ErrPermanent], by the error for a state that is not there.
var ErrNotKept = errors.New("no such state is kept")

// NotKept makes the error for a state that is not there.
func NotKept(name string) error {
	return fmt.Errorf("%s: %w: %w", name, ErrNotKept, patch.ErrPermanent)
}

// A Snapshot is a state that is kept.
type Snapshot struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"` // by the device's clock, in whole seconds
}

// Recent says whether s was made in the given time before now, and not after it. An age of 0 or less means that any will do.
func (s Snapshot) Recent(now time.Time, age time.Duration) bool {
	return !s.At.IsZero() && !s.At.After(now) && (age <= 0 || now.Sub(s.At) <= age)
}

// Restored tells what a restoration has led to.
type Restored struct {
	// Reboot says whether the device still works on the files as they were before, until it is restarted.
	Reboot patch.Tri `json:"reboot"`
}

// MaxName is how long a name may be, in bytes.
const MaxName = 64

// CheckName says whether name can be one of a snapshot: 1 to [MaxName] of the characters a-z, 0-9, "-", "_" and ".", the
// first a letter or a digit. The error wraps [patch.ErrPermanent].
func CheckName(name string) error {
	ok := len(name) > 0 && len(name) <= MaxName && name[0] != '.' && name[0] != '-' && name[0] != '_'
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return fmt.Errorf("snapshot: %.100q is no name for a snapshot: %w", name, patch.ErrPermanent)
	}
	return nil
}

// NameOf makes a name of an ID of whatever form, such as that of a task: what the ID and a name have in common, for people, and
// the beginning of the SHA-256 of the ID, so that two IDs have two names.
func NameOf(id string) string {
	const digits = 16
	sum := sha256.Sum256([]byte(id))
	plain := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, id), "-._")
	if most := MaxName - digits - 1; len(plain) > most {
		plain = plain[:most]
	}
	if plain == "" {
		plain = "x"
	}
	return plain + "-" + hex.EncodeToString(sum[:])[:digits]
}
