// Package predicate is a small language of conditions about patches and devices: what a rule of a policy is about.
//
// An [Expr] is a condition, a value that is read from one line of text, or from JSON or YAML, and checked while it is
// read: a misspelt field, a wrong type and an operator that a field does not have are errors with their place. It always
// ends, calls nothing, and takes a time that its length bounds.
//
//	severity >= important and age >= 7d and (exploited or label.site in (oslo, "new york")) and not package glob "linux-image-*"
//
// [Compile] makes functions of one. For a fleet, a [Set] splits off what depends on the device alone, and [Groups] keep the
// devices that look alike to it together, so that a patch is decided once for all of these.
//
// # What is not known
//
// Every condition is yes, no or unknown, and "not", "and" and "or" are those of Kleene's strong logic: what is unknown stays
// unknown unless the rest decides without it. A comparison with a fact that nobody states is unknown, never no, and so is its
// contrary: a patch that nobody rated is neither "severity >= important" nor "not severity >= important". Ask "exists
// severity", which is yes or no. A rule that lets something happen goes by [Predicate.Matches], one that keeps something from
// happening by [Predicate.MayMatch].
//
// # Grammar
//
//	expression = [ or ]                         # nothing at all holds for nothing
//	or         = and { "or" and }
//	and        = unary { "and" unary }
//	unary      = "not" unary | "(" or ")" | "true" | "false" | "exists" field
//	           | "any" "advisory" "(" or ")" | comparison
//	comparison = field                          # a truth: exploited
//	           | field ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value
//	           | field [ "not" ] "in" list
//	           | field [ "not" ] ( "prefix" | "glob" ) ( value | list )
//	           | field "has" ( "any" | "all" | "none" ) "of" list
//	list       = "(" value { "," value } ")"
//	field      = word | "label." quoted
//	value      = word | quoted
//
// A word is made of letters, digits and -_./:@+~. Anything else is put in double quotes, in which \" is a quote and \\ a
// backslash, and so are the values and, or, not, in, prefix, glob, has and exists. Text is compared exactly, small and capital
// letters apart. With several values, one has to fit. "f not in (...)" is written back as "not f in (...)". In the pattern of
// a glob * stands for any text, slashes too, ? for one character, and a backslash takes the meaning from the next character.
//
// A text has 128 KiB at most, and 64 expressions in each other.
//
// # Kinds of fields
//
//	text     = != in prefix glob exists
//	list     = in prefix glob: one of its elements is such; has any of, has all of, has none of; exists: it is not empty.
//	         An empty list is unknown, unless the table says that all is known.
//	word     = != in exists, with the words that the type has in JSON
//	level    = != < <= > >= in exists, with such words, which have an order
//	truth    stands alone; exists
//	number   = != < <= > >= exists; zero is unknown
//	size     the same, in bytes or with a unit: 500MB, 2GiB
//	age      < <= > >= exists, with days, hours, minutes and seconds: 7d, 36h, 1d12h
//	tenant   = != in glob exists: equal to a tenant is what is that tenant or stands below it; "" is only itself
//	release  = != < <= > >= in exists: compared part by part, no further than the value goes: 12.5 is = 12 and <= 12.
//	         12 itself with 12.5 is unknown, and so is an order of parts that are no numbers.
//	version  = < <= > >= exists: one of the versions is such, in the order of its own scheme
//
// A field of an advisory asks whether one of the patch's advisories is such. "any advisory (advisory.severity >= important and
// advisory.exploited)" asks for one that is all of that; without advisories it is unknown.
//
// # Fields
//
// Of the patch:
//
//	id                      list     its ID and its aliases
//	source                  text     the source that its ID names
//	title                   text     its title
//	classification          word     what kind of change it is: security, critical, bugfix, definition, rollup, feature, driver, firmware, optional
//	severity                level    how its publisher rates it: low, moderate, important, critical
//	worst                   level    the gravest rating of it or of one of its advisories: low, moderate, important, critical
//	contested               truth    its publishers disagree about it
//	withdrawn               truth    its publisher has taken it back
//	exploited               truth    an advisory of it is known to be exploited
//	epss                    number   the highest probability of exploitation, 0 to 1
//	cvss                    number   the highest CVSS base score, 0 to 10
//	cve                     list     the CVEs of its advisories
//	package                 list     the binary packages that it replaces
//	package.source          list     the source packages of these, which have the same name if no other is given
//	package.ecosystem       list     the ecosystems of these, "Debian:12"
//	package.origin          list     the archives or channels that offer these
//	supersedes              list     the patches that it makes unnecessary
//	requires                list     the patches that must be installed first
//	platform.os             text     the operating system that it is for
//	platform.version        release  the version of that
//	platform.arch           text     the architecture of that
//	reboot                  word     whether it wants a restart: never, maybe, always
//	reversal                word     how it can be taken back: none, uninstall, reinstall, snapshot
//	size                    size     what there is to download
//	age                     age      time since it was released
//	age.modified            age      time since its publisher last changed it
//
// Of the advisory:
//
//	advisory.id             text     its ID
//	advisory.title          text     its title
//	advisory.cve            list     its CVEs
//	advisory.severity       level    how its issuer rates it: low, moderate, important, critical
//	advisory.exploited      truth    it is known to be exploited
//	advisory.epss           number   its probability of exploitation, 0 to 1
//	advisory.cvss           number   its highest CVSS base score, 0 to 10
//	advisory.age            age      time since it was published
//	advisory.age.exploited  age      time since its exploitation was recorded
//
// Of the device:
//
//	device.id               text     its ID
//	device.name             text     its name, or its ID without one
//	device.tenant           tenant   whose it is: equal to a tenant if it is that or stands below it
//	device.os               text     its operating system
//	device.version          release  the version of that
//	device.arch             text     its architecture
//	device.zone             text     its time zone
//	device.exposure         word     whether the internet reaches it: internal, public
//	device.pendingReboot    truth    it waits for a restart
//	device.age.pending      age      time since it was first seen to wait for one
//	device.age.seen         age      time since it was last seen
//	device.software         list     the packages that are installed; all are known if all managers were covered completely
//	device.manager          list     the package managers that its scans know
//	device.updater          list     what else installs updates on it
//	device.label            list     the keys of its labels, all of which are known
//	label.KEY               text     the value of its label KEY; unknown if it has none
//
// Of the finding:
//
//	finding.evidence        word     how it is known: device-says, below-fixed
//	finding.superseded      truth    another finding makes it unnecessary
//	finding.held            truth    a package's manager was told not to change it
//	finding.package         list     the packages that are too old
//	finding.manager         list     the package managers of these
//	finding.ecosystem       list     the ecosystems of these
//	finding.installed       version  the versions of these that are installed
//	finding.fixed           version  the versions that have the fix
package predicate
