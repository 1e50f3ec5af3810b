// Command mutants plants faults in the engine and in the policies, one at a time, and tells which test notices each of them:
//
//	go run ./internal/mutants [-run REGEXP] [-list]
//
// A fault is a piece of source text and what takes its place; the compiler reads the changed file in the place of the true one
// (the -overlay flag of package go), so that the work tree stays as it is. A fault that no test notices is a hole in the tests: the command
// then ends with status 1. One that does not compile is an error as well: it says nothing about the tests.
//
// It runs the quick tests of the packages that a fault names, in their order, until one of them fails, and takes about ten
// minutes for all faults.
package main
