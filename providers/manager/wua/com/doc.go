// Package com is the Windows Update Agent of the Windows device that this program runs on, reached by COM: a
// [github.com/patchflow/patchflow/providers/manager/wua.Agent]. Elsewhere the package is empty.
//
// It is a module of its own, for its one dependency. Its tests run under wine on other systems, against a Windows Update Agent
// that they register themselves; they need no Windows. What it does on Windows itself nobody has tested.
package com
