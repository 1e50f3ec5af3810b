// Package desk is what the package managers of this library share: a ledger on each device, by which no task begins twice
// whatever becomes of the controller, and a desk that carries out the tasks of each device one after the other.
package desk
