package fetch

import "syscall"

// Waiting returns how many calls wait for a file.
func Waiting(f *Fetcher, name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.flights[name]; fl != nil {
		return fl.waiting
	}
	return 0
}

// Classify is what errors of the network and the disk go through.
func Classify(err error) error { return classify(err) }

// NoSpace is what a full disk says.
const NoSpace = syscall.ENOSPC
