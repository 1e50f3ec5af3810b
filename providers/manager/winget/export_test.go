package winget

// ListScript is the script that lists packages, for the device of the tests.
const ListScript = listScript
