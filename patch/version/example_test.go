package version_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/patchflow/patchflow/patch/version"
)

func ExampleCompare() {
	installed := version.Version{Scheme: version.Deb, Text: "3.0.16-1~deb12u1"}
	fixed := version.Version{Scheme: version.Deb, Text: "3.0.16-1"}
	c, err := version.Compare(installed, fixed)
	fmt.Println(c < 0, err)

	_, err = version.Compare(installed, version.Version{Scheme: "winget", Text: "3.0.16"})
	fmt.Println(errors.Is(err, version.ErrIncomparable))
	// Output:
	// true <nil>
	// true
}

func ExampleParse() {
	_, err := version.Parse(version.Deb, "1.0-1_2")
	fmt.Println(err)
	// Output:
	// version: deb "1.0-1_2": the revision has a character other than letters, digits and . + ~: not a version
}

// Keys of one scheme sort as the versions do, without knowing the scheme any more.
func ExampleVersion_Key() {
	var keys []version.Key
	text := make(map[version.Key]string)
	for _, t := range []string{"1:0.9", "1.10", "1.9", "1.9~rc1", "1.9+b1"} {
		key, err := version.Version{Scheme: version.Deb, Text: t}.Key()
		if err != nil {
			fmt.Println(err)
			return
		}
		keys = append(keys, key)
		text[key] = t
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Println(text[key])
	}
	// Output:
	// 1.9~rc1
	// 1.9
	// 1.9+b1
	// 1.10
	// 1:0.9
}
