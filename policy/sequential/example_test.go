package sequential_test

import (
	"fmt"
	"math"

	"github.com/patchflow/patchflow/policy/sequential"
)

// A ring may lose one device in fifty. How many failures are too many, looked at after every device?
func ExampleNewHalt() {
	table, err := sequential.NewHalt(0.02, 0.05, sequential.HaltPrior(), 2)
	if err != nil {
		panic(err)
	}
	for _, n := range []int{5, 20, 100, 1000} {
		failures, _ := table.Failures(n)
		fmt.Printf("%d of %d\n", failures, n)
	}
	// Output:
	// 2 of 5
	// 4 of 20
	// 8 of 100
	// 36 of 1000
}

// How many devices prove that fewer than one in twenty fail?
func ExampleNewPass() {
	table, err := sequential.NewPass(0.05, 0.05, sequential.PassPrior(0.05))
	if err != nil {
		panic(err)
	}
	fmt.Println(table.Crossed(70, 0), table.Crossed(71, 0), table.Crossed(71, 1))
	// Output: false true false
}

func ExampleLogAbove() {
	fmt.Printf("%.1f\n", math.Exp(sequential.LogAbove(50, 6, 0.02, sequential.HaltPrior())))
	// Output: 171.8
}

func ExampleLogBelow() {
	fmt.Printf("%.1f\n", math.Exp(sequential.LogBelow(200, 1, 0.05, sequential.PassPrior(0.05))))
	// Output: 564.4
}

func ExampleInterval() {
	low, high := sequential.Interval(100, 4, 0.05, sequential.Prior{A: 1, B: 1})
	fmt.Printf("between %.1f %% and %.1f %%\n", 100*low, 100*high)
	// Output: between 0.4 % and 14.5 %
}

func ExampleLogPoint() {
	fmt.Printf("%.3f\n", math.Exp(sequential.LogPoint(100, 4, 0.04, sequential.Prior{A: 1, B: 1})))
	// Output: 0.050
}

// Ten devices at a time with the patch and ten without: the patch breaks things.
func ExamplePair() {
	var p sequential.Pair
	for _, failures := range []int{2, 3, 4} {
		p.Add(10, failures, 10, 0)
		fmt.Printf("%.1f %v\n", math.Exp(p.Log()), p.Worse(0.05))
	}
	// Output:
	// 1.0 false
	// 7.9 false
	// 166.0 true
}
