package providertest

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"
)

// A lister is a method that lists, as the promises which all listings make see it.
type lister[F, T any] struct {
	group  string
	list   func(f F, ctx context.Context) iter.Seq2[T, error]
	key    func(v *T) string
	broken func(t *testing.T, f F) (seq iter.Seq2[T, error], ok bool) // a listing that fails; false if there is none

	once, start, concurrent, last, ctx string // the words of the promises
}

// all reads a listing to its end, which must not be an error, and returns the keys in their order.
func (l lister[F, T]) all(t *testing.T, f F) []string {
	t.Helper()
	keys, err := l.drain(l.list(f, t.Context()))
	require.NoError(t, err)
	require.NotEmpty(t, keys, "the listing is empty: the harness must provide something to list")
	return keys
}

// drain reads a listing to its end or its first error.
func (l lister[F, T]) drain(seq iter.Seq2[T, error]) (keys []string, err error) {
	for v, err := range seq {
		if err != nil {
			return keys, err
		}
		keys = append(keys, l.key(&v))
	}
	return keys, nil
}

// breakOff reads n pairs and tells the listing to stop. It returns how often the listing has gone on in spite of that.
func breakOff[T any](seq iter.Seq2[T, error], n int) (after int) {
	seq(func(T, error) bool {
		n--
		if n < 0 {
			after++
		}
		return n > 0
	})
	return after
}

// promises returns the promises that all listings make.
func (l lister[F, T]) promises() []promise[F] {
	return []promise[F]{
		{l.group, "nothing is listed twice", l.once, func(t *testing.T, f F) {
			seen := make(map[string]bool)
			for _, k := range l.all(t, f) {
				require.False(t, seen[k], "%s is listed twice", k)
				seen[k] = true
			}
		}},
		{l.group, "every call lists from the start", l.start, func(t *testing.T, f F) {
			want := l.all(t, f)
			breakOff(l.list(f, t.Context()), 1)
			require.ElementsMatch(t, want, l.all(t, f), "after a listing that was broken off")
			seq := l.list(f, t.Context())
			breakOff(seq, 1)
			got, err := l.drain(seq)
			require.NoError(t, err)
			require.ElementsMatch(t, want, got, "the same sequence, ranged over again")
		}},
		{l.group, "listings at once do not disturb each other", l.concurrent, func(t *testing.T, f F) {
			want := l.all(t, f)
			var first []string
			next, stop := iter.Pull2(l.list(f, t.Context()))
			defer stop()
			for v, err, more := next(); more; v, err, more = next() {
				require.NoError(t, err)
				first = append(first, l.key(&v))
				if len(first) == 1 {
					require.ElementsMatch(t, want, l.all(t, f), "a listing that began while another was under way")
				}
			}
			require.ElementsMatch(t, want, first, "a listing during which another one began and ended")
			got, errs := make([][]string, 4), make([]error, 4)
			atOnce(len(got), func(i int) { got[i], errs[i] = l.drain(l.list(f, t.Context())) })
			for i := range got {
				require.NoError(t, errs[i])
				require.ElementsMatch(t, want, got[i], "one of several listings on goroutines")
			}
		}},
		{l.group, "a failure ends the sequence, as its last pair", l.last, func(t *testing.T, f F) {
			seq, ok := l.broken(t, f)
			need(t, ok, "Broken")
			var failure error
			for v, err := range seq {
				if failure != nil {
					t.Fatalf("after the error %q there came %s, %v", failure, l.key(&v), err)
				}
				failure = fatal(err)
			}
			require.Error(t, failure, "the listing failed and has ended as if it were complete")
		}},
		{l.group, "a done context ends the sequence with its error", l.ctx, func(t *testing.T, f F) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := l.drain(l.list(f, ctx))
			require.ErrorIs(t, err, context.Canceled, "done before the first pair")

			ctx, cancel = context.WithCancel(t.Context())
			defer cancel()
			var last error
			for _, err := range l.list(f, ctx) {
				cancel()
				last = err
			}
			require.ErrorIs(t, last, context.Canceled, "done after the first pair: the last error")
		}},
		{l.group, "the sequence stops when its reader does", "iter.Seq2: if yield returns false, the sequence returns", func(t *testing.T, f F) {
			require.Zero(t, breakOff(l.list(f, t.Context()), 1), "pairs that came after the reader had stopped")
		}},
	}
}
