package fetch

import (
	"context"
	"slices"
)

// A flight is the fetching of one file, for all who have asked for it meanwhile.
type flight struct {
	file    File
	cancel  context.CancelFunc
	waiting int
	left    bool // nobody waits any more
	done    chan struct{}

	// Set before done is closed.
	copy Copy
	err  error
}

// same says whether a flight brings what file asks for.
func (fl *flight) same(file *File) bool {
	return !fl.left && fl.file.Digest == file.Digest && fl.file.MaxBytes == file.MaxBytes && slices.Equal(fl.file.URLs, file.URLs) &&
		fl.file.Check == nil && file.Check == nil
}

// fly fetches a file, or waits for the flight that does so already. A flight for the same name that brings something else is
// waited for. A flight is cancelled when the last one who waits for it leaves.
func (f *Fetcher) fly(ctx context.Context, file File) (Copy, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Copy{}, err
		}
		f.mu.Lock()
		fl := f.flights[file.Name]
		ours := fl == nil || fl.same(&file)
		if fl == nil {
			// What the context holds stays, but one who leaves must not end the flight of others.
			flying, cancel := context.WithCancel(context.WithoutCancel(ctx))
			fl = &flight{file: file, cancel: cancel, done: make(chan struct{})}
			f.flights[file.Name] = fl
			go f.take(flying, fl)
		}
		if ours {
			fl.waiting++
		}
		f.mu.Unlock()
		select {
		case <-fl.done:
			if ours {
				return fl.copy, fl.err
			}
		case <-ctx.Done():
			if ours {
				f.leave(fl)
			}
			return Copy{}, ctx.Err()
		}
	}
}

func (f *Fetcher) take(ctx context.Context, fl *flight) {
	fl.copy, fl.err = f.get(ctx, &fl.file)
	fl.cancel()
	f.mu.Lock()
	delete(f.flights, fl.file.Name)
	f.mu.Unlock()
	close(fl.done)
}

func (f *Fetcher) leave(fl *flight) {
	f.mu.Lock()
	fl.waiting--
	alone := fl.waiting == 0
	fl.left = fl.left || alone
	f.mu.Unlock()
	if alone {
		fl.cancel()
	}
}
