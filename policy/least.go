package policy

// LeastFor returns how many devices the first ring of a fleet is advised to have at least, in itself no setting: whoever follows it writes
// it into Ring.Size or Ring.MinDevices, and [Lint] tells of a first ring that is smaller. It is a part of the fleet, rounded up, and never
// more than [SampleSizeOf] says for a failure rate of 5 % and a confidence of 95 %, since a patch that fails on a twentieth of a fleet shows then,
// and more devices only risk more.
//
//	devices    part   at least
//	below 25   one    1
//	25-100     5 %    2-5
//	101-1000   8 %    9-57
//	more       10 %   56-59
//
// Without devices it is 0. The borders and the parts are those by which AWS Systems Manager says how many nodes "Patch now" works on at once
// (1, 5 %, 8 %, 10 %): what a service that patches fleets of every size puts at risk before it has seen anything. That a small fleet has small
// first rings is the point: in one of twenty devices, 19 would have to be tried to show such a rate, and nothing would be left to protect.
func LeastFor(devices int) int {
	part := Share(1000)
	switch {
	case devices <= 0:
		return 0
	case devices < 25:
		return 1
	case devices <= 100:
		part = 500
	case devices <= 1000:
		part = 800
	}
	least := devices/int(whole)*int(part) + (devices%int(whole)*int(part)+int(whole)-1)/int(whole)
	if enough, ok := SampleSizeOf(devices, showRate, showConfidence); ok {
		least = min(least, enough)
	}
	return least
}

// showRate is the rate of failure that a ring is to show if nothing else is said.
const showRate Share = 500
