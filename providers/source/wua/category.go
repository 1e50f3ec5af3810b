package wua

import "strings"

// classificationOf returns the English name of the classification that a category is, and whether it is one.
//
// All but the last two are in Microsoft's table "WSUS Classification GUIDs" (learn.microsoft.com, ff357803). Drivers is in the
// output of Get-WsusClassification on the page of that command. Upgrades and Driver Sets are in no page of Microsoft that
// was found: several public programs that talk to WSUS and to the agent agree on them.
func classificationOf(id string) (name string, known bool) {
	id, ok := guid(id)
	if !ok {
		return "", false
	}
	switch id {
	case "5c9376ab-8ce6-464a-b136-22113dd69801":
		name = "Applications"
	case "434de588-ed14-48f5-8eed-a15e09a991f6":
		name = "Connectors"
	case "e6cf1350-c01b-414d-a61f-263d14d133b4":
		name = "Critical Updates"
	case "e0789628-ce08-4437-be74-2495b842f43b":
		name = "Definition Updates"
	case "e140075d-8433-45c3-ad87-e72345b36078":
		name = "Developer Kits"
	case "b54e7d24-7add-428f-8b75-90a396fa584f":
		name = "Feature Packs"
	case "9511d615-35b2-47bb-927f-f73d8e9260bb":
		name = "Guidance"
	case "0fa1201d-4330-4fa8-8ae9-b877473b6441":
		name = "Security Updates"
	case "68c5b0a3-d1a6-4553-ae49-01d3a7827828":
		name = "Service Packs"
	case "b4832bd8-e735-4761-8daf-37f882276dab":
		name = "Tools"
	case "28bc880e-0592-4cbf-8f95-c79b17911d5f":
		name = "Update Rollups"
	case "cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83":
		name = "Updates"
	case "ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0":
		name = "Drivers"
	case "3689bdc8-b205-4af4-8d4a-a63924c5e9d5":
		name = "Upgrades"
	case "77835c8d-62a7-41f5-82ad-f28d1af1e3b1":
		name = "Driver Sets"
	}
	return name, name != ""
}

// guid returns a GUID in lower case and without braces, and whether text is one.
func guid(text string) (string, bool) {
	text = strings.ToLower(strings.Trim(strings.TrimSpace(text), "{}"))
	if len(text) != 36 {
		return "", false
	}
	for i := range len(text) {
		c := text[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return "", false
		}
	}
	return text, true
}
