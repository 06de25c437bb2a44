package policy

import "testing"

// The products of the built-in table are compiled where they are asked for, when
// nobody could be told of a mistake any more: there is none, and each says what the
// expression says that is compiled at once.
func TestBuiltinProductsCompile(t *testing.T) {
	devices := BuiltinDevices()
	compiled, problems := compileDevices(devices)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	later := 0
	for i, d := range devices {
		p, err := compilePattern(d.Product)
		if err != nil {
			t.Errorf("%s: %v", d.Product, err)
		}
		if compiled[i].product.later != "" {
			later++
		}
		for _, o := range devices {
			for _, model := range []string{o.Product, "LUN C-Mode      ", "OPEN-V", ""} {
				if got, want := compiled[i].product.match(model), p.match(model); got != want {
					t.Errorf("product %q of a built-in entry fits %q: %v, want %v", d.Product, model, got, want)
				}
			}
		}
	}
	if later == 0 {
		t.Error("every product is compiled at once")
	}
	own := []Device{{Vendor: "ACME", Product: "("}}
	if _, problems := compileDevices(own); len(problems) != 1 {
		t.Errorf("a wrong expression of a file is not told: %v", problems)
	}
}
