package scsi

import (
	"strings"
	"testing"
)

// seed83 gives every measured page 0x83 to a fuzz target.
func seed83(f *testing.F, add func(page []byte)) {
	for _, c := range unitCases(f, "vpd83") {
		add(unhex(f, c.Page))
	}
}

func FuzzInquiry(f *testing.F) {
	f.Add(unhex(f, acmeStd))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := DecodeInquiry(data)
		if (err != nil) != (len(data) < 36) {
			t.Fatal(err)
		}
		for _, s := range []string{d.Vendor(), d.Model(), d.Rev()} {
			if strings.HasSuffix(s, " ") || strings.ContainsAny(s, "\x00\n\x7f") {
				t.Fatalf("%q", s)
			}
		}
	})
}

func FuzzVPDPages(f *testing.F) {
	for _, c := range unitCases(f, "vpd80") {
		f.Add(unhex(f, c.Page))
	}
	for _, c := range unitCases(f, "vpd-c0-hp3par") {
		f.Add(unhex(f, c.Page))
	}
	f.Add(unhex(f, acmeVPD00))
	f.Fuzz(func(t *testing.T, page []byte) {
		if s, err := DecodeVPD80(page); err == nil && (len(s) > 127 || strings.ContainsRune(s, 0)) {
			t.Fatalf("serial %q", s)
		}
		if s, err := Decode3PARName(page); err == nil && (len(s) > 127 || strings.ContainsRune(s, 0)) {
			t.Fatalf("name %q", s)
		}
		if list, err := DecodeVPD00(page); err == nil && len(list) > len(page)-4 {
			t.Fatalf("%d pages of %d bytes", len(list), len(page))
		}
	})
}

func FuzzDesignators(f *testing.F) {
	seed83(f, func(page []byte) { f.Add(page) })
	f.Fuzz(func(t *testing.T, page []byte) {
		total, ended := 0, false
		for d, err := range Designators(page) {
			if ended {
				t.Fatal("goes on behind an error")
			}
			ended = err != nil
			total += len(d.Bytes)
			_ = d.String()
		}
		if total > len(page) {
			t.Fatalf("%d bytes of designators in %d", total, len(page))
		}
		group, port := targetPort(page)
		if group < -1 || group > 0xffff || port < -1 || port > 0xffff {
			t.Fatal(group, port)
		}
	})
}

func FuzzWWID(f *testing.F) {
	for _, c := range unitCases(f, "vpd83") {
		f.Add(unhex(f, c.Page), c.Buffer)
	}
	f.Fuzz(func(t *testing.T, page []byte, buffer int) {
		s, err := wwidFromVPD83(page, buffer)
		if err != nil {
			if s != "" {
				t.Fatalf("%q beside %v", s, err)
			}
			return
		}
		if len(s) > max(buffer-1, 0) || strings.ContainsRune(s, 0) || strings.HasSuffix(s, " ") {
			t.Fatalf("%q in a buffer of %d", s, buffer)
		}
	})
}

func FuzzIdentify(f *testing.F) {
	std, p00, p80 := unhex(f, acmeStd), unhex(f, acmeVPD00), unhex(f, acmeVPD80)
	seed83(f, func(page []byte) { f.Add(std, p00, p80, page) })
	rac := libataDisk("VB0db2f233-269850e0")
	f.Add(rac.Inquiry, rac.VPD00, rac.VPD80, rac.VPD83)
	f.Fuzz(func(t *testing.T, inquiry, p00, p80, p83 []byte) {
		in := Raw{Inquiry: inquiry, VPD00: p00, VPD80: p80, VPD83: p83}
		id := Identify(in)
		if (id.WWID == "") == (id.Problem == "") {
			t.Fatalf("WWID %q, problem %q", id.WWID, id.Problem)
		}
		if len(id.WWID) > 127 || strings.ContainsAny(id.WWID, "\x00\n\t \x7f") {
			t.Fatalf("WWID %q", id.WWID)
		}
		if id.WWID != "" {
			if id.IDs[0].Value != id.WWID || !id.SameLUN(id) || len(id.WWID) < 2 {
				t.Fatalf("%+v", id)
			}
		}
		seen := map[string]bool{}
		for _, one := range id.IDs {
			if one.Kind == IDUnknown || one.Value == "" || seen[one.Value] {
				t.Fatalf("ids %v", id.IDs)
			}
			seen[one.Value] = true
		}
		for _, page := range []ScsiIDPage{ScsiIDAuto, ScsiIDPage80, ScsiIDPage83, ScsiIDPreSPC3} {
			r, err := ScsiID(in, page)
			if err != nil {
				continue
			}
			if strings.ContainsAny(r.Serial, " /\"\x00\n") || strings.ContainsRune(r.Raw, 0) {
				t.Fatalf("%q, %q", r.Raw, r.Serial)
			}
			for _, p := range r.Export() {
				if strings.ContainsAny(p.Value, "\x00\n\t") || p.Name != "ID_SCSI_SERIAL" && strings.Contains(p.Value, " ") {
					t.Fatalf("%+v", p)
				}
			}
		}
	})
}

func FuzzSense(f *testing.F) {
	f.Add(unhex(f, "70000200000000"+"0a"+"00000000"+"040b"+"00000000"))
	f.Add(unhex(f, "72063f0e00000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSense(b)
		if err == nil && (s.Key > 15 || !strings.HasPrefix(s.String(), s.Code()+" ")) {
			t.Fatalf("%+v %q", s, s)
		}
		_ = Response{Status: StatusCheckCondition, Sense: b}.String()
	})
}

func FuzzPortGroups(f *testing.F) {
	f.Add(unhex(f, "0000001c"+"80df00010002000100000001"+"02df0010000000020000000200000003"))
	f.Add(unhex(f, "00000020"+"101e0000"+"80df00010002000100000001"+"02df0010000000020000000200000003"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodePortGroups(data)
		n := 0
		for _, g := range p.Groups {
			n += 8 + 4*len(g.Ports)
			_ = g.State.String()
		}
		if n > len(data) || err == nil && p.Cut != (uint64(p.Need) > uint64(len(data))) {
			t.Fatalf("%d bytes of groups in %d, %+v", n, len(data), p)
		}
	})
}

func FuzzReadCapacity(f *testing.F) {
	f.Add(unhex(f, "000003ff00000200"))
	f.Add(unhex(f, "00000000000003ff0000020003038000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, decode := range []func([]byte) (Capacity, error){DecodeReadCapacity10, DecodeReadCapacity16} {
			c, err := decode(data)
			if err == nil && (c.BlockLen < 512 || c.Blocks == 0 && !c.TooBig) {
				t.Fatalf("%+v", c)
			}
		}
	})
}
