// Package lint holds the tests about the source of patchflow: which way imports run, what the engine must not do, what is
// documented, what a file may hold, what the modules require. They need the go command and no network.
//
// Every rule is a function from parsed source to problems, and has a table of small bad sources that it must notice.
// A rule that is in the way is changed here, with the reason, or not at all: there is no comment that switches it off.
package lint
