package policy

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
)

func TestHowManyComplaintsAreTooMany(t *testing.T) {
	for _, c := range []struct {
		feedback Feedback
		voices   Voices
		want     bool
	}{
		{Feedback{}, Voices{Broke: 100, Against: 100, Begun: 100}, false},
		{Feedback{Count: 2}, Voices{Broke: 1, Fine: 100}, false},
		{Feedback{Count: 2}, Voices{Broke: 2, Fine: 100}, true},
		{Feedback{Broke: 2000}, Voices{}, false}, // nobody has said anything
		{Feedback{Broke: 2000}, Voices{Broke: 1, Fine: 4}, false},
		{Feedback{Broke: 2000}, Voices{Broke: 1, Fine: 3}, true},
		{Feedback{Broke: 2000, Answers: 5}, Voices{Broke: 4}, false},
		{Feedback{Broke: 2000, Answers: 5}, Voices{Broke: 5}, true},
		{Feedback{Broke: 2000, Of: OfDevices}, Voices{Broke: 9, Against: 1, Begun: 5}, false},
		{Feedback{Broke: 2000, Of: OfDevices}, Voices{Broke: 2, Fine: 9, Against: 2, Begun: 9}, true},
		{Feedback{Broke: 10000}, Voices{Broke: 9}, false}, // nothing is more than all
		{Feedback{Broke: 10000, Count: 9}, Voices{Broke: 9}, true},
	} {
		require.Equal(t, c.want, c.feedback.TooMany(c.voices), "%s: %+v", c.feedback, c.voices)
	}
}

func TestValidateNamesTheFieldOfFeedback(t *testing.T) {
	for want, f := range map[string]Feedback{
		"health.feedback.count: -1 is negative":                                       {Count: -1},
		"health.feedback.broke: 100.01% is more than 100%":                            {Broke: 10001},
		"health.feedback.of: feedback 2 has no name":                                  {Broke: 1, Of: 2},
		"health.feedback.of: there is no share that it could be of: broke is missing": {Count: 1, Of: OfDevices},
		"health.feedback.answers: -1 is negative":                                     {Broke: 1, Answers: -1},
		"health.feedback.answers: they count only with a share: broke is missing":     {Count: 1, Answers: 1},
	} {
		p := Policy{Name: "p", Health: Health{Feedback: f}}
		require.ErrorContains(t, p.Validate(), want)
	}
}

func TestFeedbackIsOneFieldOfALayer(t *testing.T) {
	layers := []Layer{
		{Name: "vendor", Policy: Policy{Health: Health{Feedback: Feedback{Broke: 2000, Answers: 10}}}},
		{Name: "acme", Tenant: "acme", Policy: Policy{Health: Health{Feedback: Feedback{Count: 3}}}},
	}
	e, err := Resolve(layers, &inventory.Device{Tenant: "acme"})
	require.NoError(t, err)
	require.Equal(t, Feedback{Count: 3}, e.Policy.Health.Feedback)
}

func ExampleFeedback() {
	f := Feedback{Count: 5, Broke: 2000, Answers: 4}
	fmt.Println("too many:", f)
	for _, v := range []Voices{{Broke: 2, Fine: 1}, {Broke: 2, Fine: 8}, {Broke: 2, Fine: 7}, {Broke: 5, Fine: 95}} {
		fmt.Printf("%d broke, %d fine: %t\n", v.Broke, v.Fine, f.TooMany(v))
	}
	// Output:
	// too many: 5 or more than 20% of answers, of 4 at least
	// 2 broke, 1 fine: false
	// 2 broke, 8 fine: false
	// 2 broke, 7 fine: true
	// 5 broke, 95 fine: true
}
