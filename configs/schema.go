package configs

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"pathkeeper/policy"
)

// object is one object of a JSON Schema; json writes its keys sorted.
type object map[string]any

// Schema gives the JSON Schema (draft 2020-12) of the native form, for editors. It
// is made of the one table of keywords, as the reader is. It is a little wider
// than the reader, which alone knows expressions, clashes and what belongs together.
func Schema() []byte {
	words := newNativeVocabulary()
	layer := func(p place, more object, required ...string) object {
		properties := object{}
		for name, k := range words[p] {
			if k.Kind != policy.KindIgnored && !k.Many {
				properties[name] = schemaOf(k)
			}
		}
		for name, s := range more {
			properties[name] = s
		}
		return mapping(properties, required...)
	}
	rules := func(p place) object {
		one := layer(inBlacklistDevice, nil)
		properties := object{"device": object{"anyOf": []any{listOf(one), one}, "description": "vendor and product of SCSI devices"}}
		for name, k := range words[p] {
			text := object{"type": []string{"string", "number"}}
			properties[name] = object{"anyOf": []any{listOf(text), text, object{"type": "null"}}, "description": k.Meaning}
		}
		return mapping(properties)
	}
	small := func(keywords []policy.Keyword, required ...string) object {
		properties := object{}
		for _, k := range keywords {
			properties[k.Name] = schemaOf(k)
			if old := map[string]string{"owner": "uid", "group": "gid"}[k.Name]; old != "" {
				properties[old] = schemaOf(k)
			}
		}
		return mapping(properties, required...)
	}
	var names, purposes []string
	for _, p := range policy.Profiles() {
		names = append(names, p.Name)
		purposes = append(purposes, p.Name+": "+p.Purpose)
	}
	profile := object{"enum": names, "description": "settings under those that stand here. " + strings.Join(purposes, "; ")}
	disabled := schemaOf(policy.Keyword{Kind: policy.KindYesNo, Meaning: "switch this entry off, also a built-in one of the same strings"})
	root := mapping(object{
		keyProfile: profile, keyHA: small(haKeywords()),
		"defaults": layer(inDefaults, nil), "blacklist": rules(inBlacklist), "blacklist_exceptions": rules(inExceptions),
		"devices":    orNull(listOf(layer(inDevice, object{"disabled": disabled}, "vendor", "product"))),
		"overrides":  layer(inOverrides, object{"protocol": orNull(listOf(layer(inProtocol, nil, "type")))}),
		"multipaths": orNull(listOf(layer(inMultipath, object{keyProfile: profile}, "wwid"))),
		keyNames:     orNull(listOf(small(diskKeywords(), "wwid"))),
	})
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Pathkeeper: pathkeeper.yaml"
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(root) // maps, texts and numbers always encode
	return out.Bytes()
}

func mapping(properties object, required ...string) object {
	o := object{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		o["type"], o["required"] = "object", required
	}
	return o
}

func listOf(item object) object { return object{"type": "array", "items": item} }

// orNull allows a section of which all lines are commented out.
func orNull(o object) object { o["type"] = []string{"array", "null"}; return o }

// schemaOf says a keyword's values. Editors see YAML 1.2, to which yes and off are
// texts, true and 0660 are not.
func schemaOf(k policy.Keyword) object {
	yes, no := []any{"yes", "on", "true", true}, []any{"no", "off", "false", false}
	o := object{}
	word := func(words ...any) object { return object{"enum": words} }
	digits := object{"type": "string", "pattern": "^[+-]?[0-9]+$"}
	number := func(low int64) object {
		n := object{"type": "integer", "minimum": low}
		if k.Max < math.MaxInt32 {
			n["maximum"] = k.Max
		}
		return n
	}
	either := func(of ...any) { o["anyOf"] = of }
	switch k.Kind {
	case policy.KindYesNo:
		o["enum"] = slices.Concat(yes, no, []any{"1", "0", 1, 0})
	case policy.KindWord:
		o["enum"] = wordsOf(k, yes, no)
	case policy.KindInt, policy.KindUint:
		either(number(k.Min), digits)
	case policy.KindNoInt, policy.KindOffInt:
		either(number(0), digits, word(no...))
	case policy.KindDevLoss:
		either(number(1), digits, word("infinity"))
	case policy.KindRetry:
		either(number(0), digits, word("fail", "queue"))
	case policy.KindFailback:
		either(number(1), digits, word("immediate", "manual", "followover"))
	case policy.KindMaxFDs:
		either(number(0), digits, word("max"))
	case policy.KindName, policy.KindSelector:
		o["type"], o["pattern"] = "string", "^ *("+strings.Join(k.Words, "|")+")( .*)?$"
		o["examples"] = k.Words
	case policy.KindCounted:
		o["type"] = []string{"string", "integer"}
	case policy.KindMode:
		either(object{"type": "integer", "minimum": 0}, object{"type": "string", "pattern": "^0*o?[0-7]{1,3}$"})
	case policy.KindOwner:
		either(object{"type": "integer", "minimum": 0}, object{"type": "string", "minLength": 1})
	case policy.KindKey:
		o["type"] = []string{"string", "integer"}
	default:
		o["type"] = []string{"string", "number", "boolean"}
	}
	o["description"] = k.Meaning + ". Values: " + k.Values()
	if k.Default != "" {
		o["description"] = o["description"].(string) + ". Default: " + k.Default
	}
	return o
}

// wordsOf gives the words of a keyword as they may be written.
func wordsOf(k policy.Keyword, yes, no []any) []any {
	var out []any
	for _, w := range k.Words {
		switch w {
		case "on":
			out = append(out, yes...)
		case "off":
			out = append(out, no...)
		default:
			out = append(out, w)
		}
	}
	return out
}
