package rpm_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/rpm"
)

// What a device prints of its packages says what is installed, wherever it is read.
func ExampleReadQuery() {
	printed := "openssl-libs\t1\t3.0.7\t16.el9\tx86_64\topenssl-3.0.7-16.el9.src.rpm\t1700000000\t(none)\n" +
		"nodejs\t1\t18.2\t1.module_el9\tx86_64\tnodejs-18.2-1.module_el9.src.rpm\t1700000000\tnodejs:18:9040020240510175312:8cf767d6\n" +
		"slow\t(none)\t1.0\t1\tnoarch\tslow-1.0-1.src.rpm\t1700000000\t(none)\n" +
		"slow\t(none)\t2.0\t1\tnoarch\tslow-2.0-1.src.rpm\t1700000500\t(none)\n"
	installed, err := rpm.ReadQuery(strings.NewReader(printed), "AlmaLinux:9")
	for _, s := range installed {
		fmt.Printf("%s %s [%s]\n", s.Name, s.Version, s.Module)
	}
	var twice *rpm.DuplicateError
	if errors.As(err, &twice) {
		fmt.Println(twice.Name, "stands twice -", patch.FaultOf(err))
	}
	// Output:
	// openssl-libs 1:3.0.7-16.el9 []
	// nodejs 1:18.2-1.module_el9 [nodejs:18]
	// slow 1.0-1 []
	// slow 2.0-1 []
	// slow stands twice - corrupt
}

func ExampleReadManifest() {
	manifest := `{"rpms": [{"name": "openssl-libs", "version": "3.0.7", "release": "16.el9", "architecture": "x86_64", "srpm_nevra": "openssl-1:3.0.7-16.el9.src"}]}`
	packages, err := rpm.ReadManifest(strings.NewReader(manifest), "Red Hat:enterprise_linux:9")
	for _, s := range packages {
		fmt.Println(s.Name, s.Version, "from", s.Source, err)
	}
	// Output: openssl-libs 1:3.0.7-16.el9 from openssl <nil>
}

func ExampleRelease_Ecosystem() {
	release, err := rpm.ReadRelease(strings.NewReader("ID=\"rocky\"\nVERSION_ID=\"9.4\"\n"))
	fmt.Println(release.Ecosystem(), err)
	// Output: Rocky Linux:9 <nil>
}
