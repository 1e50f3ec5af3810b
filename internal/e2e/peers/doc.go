// Package peers holds patchflow against the libraries of vulnerability scanners: the same answers first, then the time. It
// holds tests only, and stands outside go.work, since its peers bring a hundred modules:
//
//	GOWORK=off PATCHFLOW_SHARED=folder go test -v .
//
// Peers and patchflow are measured in one process, and only ratios are told, as in internal/bench. Goals are held with
// PATCHFLOW_BENCH=1, and missed only beyond a slack of a quarter.
package peers
