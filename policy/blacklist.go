package policy

import (
	"pathkeeper/policy/ere"
)

// String gives the keyword of a class.
func (c RuleClass) String() string {
	switch c {
	case ClassDevnode:
		return "devnode"
	case ClassWWID:
		return "wwid"
	case ClassProperty:
		return "property"
	case ClassProtocol:
		return "protocol"
	case ClassDevice:
		return "device"
	default:
		return "unknown"
	}
}

// filterOrder is the order in which the classes are asked.
func filterOrder() [5]RuleClass {
	return [...]RuleClass{ClassProperty, ClassDevnode, ClassDevice, ClassProtocol, ClassWWID}
}

// compiledRule is one rule of blacklist or blacklist_exceptions.
type compiledRule struct {
	Rule
	first  ere.Rule // the pattern; of a device rule the vendor's
	second ere.Rule // of a device rule the product's
}

// ruleSet holds the rules of one section by class, the files' before the
// built-in ones: the first hit is the one that is told.
type ruleSet [ClassDevice + 1][]compiledRule

// compileRules reads rules. A pattern that does not compile is fatal for the
// file it stands in, as in multipath-tools: a blacklist with a hole in it would
// let devices through.
func compileRules(section string, lists ...[]Rule) (set ruleSet, problems []Problem) {
	for _, rules := range lists {
		for _, r := range rules {
			if r.Class == ClassUnknown || r.Class > ClassDevice || r.Pattern == "" && r.Product == "" {
				continue
			}
			c := compiledRule{Rule: r}
			var err error
			if r.Pattern != "" {
				c.first, err = ere.CompileRule(r.Pattern)
			}
			if err == nil && r.Class == ClassDevice && r.Product != "" {
				c.second, err = ere.CompileRule(r.Product)
			}
			if err != nil {
				problems = append(problems, Problem{
					Origin: r.Origin, Fatal: true,
					Text: section + " " + r.Class.String() + ": " + err.Error(),
				})
				continue
			}
			set[r.Class] = append(set[r.Class], c)
		}
	}
	return set, problems
}

// subject is what of a device the blacklist looks at.
type subject struct {
	devnode, vendor, product, protocol string
	wwids                              []string // every id that counts, canonical first
	properties                         []string // in the order of the udev database
	uidAttribute                       string   // udev property that the WWID is taken from; "" none
}

// hit says which rule decided in one class.
type hit struct {
	class     RuleClass
	exception bool
	missing   bool // no property of the exceptions is there
	rule      Rule
	on        string // what the rule hit: the property's name, the WWID...
}

// String gives the class, "exception-CLASS", "property-missing" or "nothing".
func (h hit) String() string {
	switch {
	case h.missing:
		return "property-missing"
	case h.class == ClassUnknown:
		return "nothing"
	case h.exception:
		return "exception-" + h.class.String()
	default:
		return h.class.String()
	}
}

func (h hit) blacklists() bool { return h.class != ClassUnknown && !h.exception }

// reason is a clause for users.
func (h hit) reason() string {
	if h.missing {
		return "blacklisted: none of its udev properties is in blacklist_exceptions property"
	}
	s := "blacklisted by " + h.class.String() + " " + quoteRule(h.rule)
	if h.on != "" {
		s += ", which hits " + h.on
	}
	return s
}

func quoteRule(r Rule) string {
	if r.Class != ClassDevice {
		return `"` + r.Pattern + `"`
	}
	return `{vendor "` + r.Pattern + `" product "` + r.Product + `"}`
}

// blacklist holds the compiled rules.
type blacklist struct {
	rules, exceptions ruleSet
}

// filterAll asks all classes in order: the first that blacklists decides, else
// the answer of the last class. each has the answers so far, in filterOrder.
// With forgiveMissing a missing property does not end it.
func (b *blacklist) filterAll(s subject, forgiveMissing bool) (last hit, each []hit) {
	for _, class := range filterOrder() {
		last = b.filter(class, s)
		each = append(each, last)
		if last.blacklists() && !(last.missing && forgiveMissing) {
			break
		}
	}
	return last, each
}

// filter asks one class.
func (b *blacklist) filter(class RuleClass, s subject) hit {
	if class == ClassProperty {
		return b.filterProperties(s)
	}
	if r, on, ok := firstHit(b.exceptions[class], s); ok {
		return hit{class: class, exception: true, rule: r, on: on}
	}
	if r, on, ok := firstHit(b.rules[class], s); ok {
		return hit{class: class, rule: r, on: on}
	}
	return hit{}
}

// filterProperties goes through the device's property names in their order; the
// first that any rule hits decides. Where none is hit the device is blacklisted
// if it has the property that its WWID comes from: then udev knows it well, and
// the wanted property is missing.
func (b *blacklist) filterProperties(s subject) hit {
	hasUID := false
	for _, name := range s.properties {
		for _, r := range b.exceptions[ClassProperty] {
			if r.first.Match(name) {
				return hit{class: ClassProperty, exception: true, rule: r.Rule, on: name}
			}
		}
		for _, r := range b.rules[ClassProperty] {
			if r.first.Match(name) {
				return hit{class: ClassProperty, rule: r.Rule, on: name}
			}
		}
		hasUID = hasUID || name == s.uidAttribute
	}
	if hasUID && s.uidAttribute != "" {
		return hit{class: ClassProperty, missing: true}
	}
	return hit{}
}

func firstHit(rules []compiledRule, s subject) (Rule, string, bool) {
	for _, r := range rules {
		if on, ok := r.hits(s); ok {
			return r.Rule, on, true
		}
	}
	return Rule{}, "", false
}

// hits reports whether a rule of any class but property hits the device, and on
// what.
func (r *compiledRule) hits(s subject) (on string, ok bool) {
	switch r.Class {
	case ClassDevnode:
		return s.devnode, r.first.Match(s.devnode)
	case ClassProtocol:
		return s.protocol, r.first.Match(s.protocol)
	case ClassWWID:
		return r.hitsWWID(s.wwids)
	case ClassDevice:
		vendor := r.Pattern == "" || r.first.Match(s.vendor)
		product := r.Product == "" || r.second.Match(s.product)
		return s.vendor + "," + s.product, vendor && product
	default:
		return "", false
	}
}

// hitsWWID looks at every id of the LUN, since old files bear old ids. An
// inverted rule means "no id of it matches".
func (r *compiledRule) hitsWWID(wwids []string) (on string, ok bool) {
	for _, w := range wwids {
		if r.first.Expr.Match(w) {
			return w, !r.first.Invert
		}
	}
	if len(wwids) == 0 || !r.first.Invert {
		return "", false
	}
	return wwids[0], true
}

// DevnodeBlacklisted says whether the devnode rules alone keep a device out.
func (c *Compiled) DevnodeBlacklisted(name string) bool {
	return c.blacklist.filter(ClassDevnode, subject{devnode: name}).blacklists()
}
