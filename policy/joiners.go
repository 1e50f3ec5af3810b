package policy

import "github.com/patchflow/patchflow/internal/enum"

// Joiners says what becomes of devices that turn up while a rollout is under way, and miss what it installs.
type Joiners uint8

const (
	JoinersIgnored  Joiners = iota // they wait for the next rollout
	JoinersAdmitted                // they join it: each the ring in which it would have been, or a later one if that is judged already
)

func joinersNames() enum.Names { return enum.Names{"ignore", "admit"} }

// String returns the lower-case name: ignore or admit.
func (j Joiners) String() string { return joinersNames().String("treatment of joiners", int(j)) }

// MarshalText implements [encoding.TextMarshaler].
func (j Joiners) MarshalText() ([]byte, error) {
	return joinersNames().Text("treatment of joiners", int(j))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (j *Joiners) UnmarshalText(text []byte) error {
	v, err := joinersNames().Parse("treatment of joiners", text)
	if err == nil {
		*j = Joiners(v)
	}
	return err
}
