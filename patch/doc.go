// Package patch describes what can be installed: patches, the advisories that explain them, the sources that publish
// them, and the faults that stand in their way.
//
// A [Patch] is one installable change as its publisher describes it. A [Source] lists patches, a [Catalog] indexes them,
// and an [Enricher] adds what others know of them (known exploitation, scores). What a publisher does not say stays
// unknown here: every enumeration has an unknown value, it is the zero value, and nothing in patchflow reads it as "no".
// Where a publisher's own word was translated, the word itself is kept beside the translation.
//
// All values of this package are plain data: they can be compared, printed, written as JSON and sent to another process.
package patch
