package policy_test

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/policy"
)

// A broad ring needs two people, one of them from the board. Olga, who asks for it, cannot be one of them.
func ExampleSettle() {
	request := policy.Request{ID: "acme:q1/broad/approval/1", Digest: "sha256:00aa", By: "olga", Needs: []policy.Need{
		{Quorum: 2},
		{Approvers: []string{"group:board"}},
	}}
	now := time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
	decisions := []policy.Decision{
		{Ruling: policy.Approved, By: "olga", Digest: request.Digest, At: now},
		{Ruling: policy.Approved, By: "hans", Digest: request.Digest, At: now},
	}
	fmt.Println(policy.Settle(request, decisions, now))

	decisions = append(decisions, policy.Decision{Ruling: policy.Approved, By: "ida", Groups: []string{"board"}, Digest: request.Digest, At: now})
	fmt.Println(policy.Settle(request, decisions, now))
	// Output:
	// pending
	//   wants 1 more: 2 people
	//   wants 1 more: group:board
	//   olga: who asks cannot approve
	//   hans: it counts
	// approved by hans, ida
	//   olga: who asks cannot approve
	//   hans: it counts
	//   ida: it counts
}

func ExampleKeyRing() {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	ring, err := policy.NewKeyRing(policy.Person{Name: "ida", Groups: []string{"board"}, Key: public})
	if err != nil {
		panic(err)
	}
	signed, err := policy.Decision{Ruling: policy.Approved, By: "ida", Digest: "sha256:00aa"}.Sign(private)
	if err != nil {
		panic(err)
	}
	known, err := ring.Verify(signed)
	fmt.Println(known.By, known.Groups, err)

	signed.Digest = "sha256:00ab"
	_, err = ring.Verify(signed)
	fmt.Println(err)
	// Output:
	// ida [board] <nil>
	// policy: decision of "ida": signature does not hold: it was signed with another key, or changed since
}
