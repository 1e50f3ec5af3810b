package tenancy

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCalls(t *testing.T) {
	require.Equal(t, []string{"All", "Of", "Shop.Take"}, Calls(t, filepath.Join("testdata", "shop")))
}

func TestEveryCallNeedsACase(t *testing.T) {
	ran := 0
	Cases(t, map[string]func(*testing.T){}) // this package has none
	t.Chdir(filepath.Join("testdata", "shop"))
	some := func(*testing.T) { ran++ }
	Cases(t, map[string]func(*testing.T){"Of": some, "All": some, "Shop.Take": some})
	Cases(t, map[string]func(*testing.T){"Shop.Take": some}, "Shop.")
	require.Equal(t, 4, ran)
}
