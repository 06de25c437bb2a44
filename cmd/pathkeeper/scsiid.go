package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"pathkeeper/scsi"
	"pathkeeper/show"
)

// Limits of the commands that scsi-id sends.
const (
	scsiIDTimeoutMS = 10_000
	// scsiIDTries is how often a command is sent while the device has unit
	// attentions to tell first (SAM-5 5.14).
	scsiIDTries = 5
	// scsiIDPageBytes is what is asked of a page: all of it.
	scsiIDPageBytes = 0xfffc
)

func scsiIDCommand(at *places, std streams) *cobra.Command {
	var export, all bool
	page := ""
	c := &cobra.Command{
		Use: "scsi-id DEVICE", Short: "Print the id of a disk, by asking it",
		Long: `Print the WWID of a SCSI disk, as it goes into a multipaths section: the id by
which Pathkeeper knows the LUN. --all prints every id that it bears, one a line
with its kind; old configurations may use any of them. --export prints what udev's
scsi_id --export prints, -p the id that scsi_id takes from one page. Needs root.`,
		Args: takes(1, 1, "one device, like /dev/sda"),
		RunE: func(_ *cobra.Command, args []string) error {
			code, err := scsiIDPage(page)
			if err != nil {
				return err
			}
			raw, err := readIDs(at.on.scsi(), args[0])
			if err != nil {
				return err
			}
			return printIDs(std, args[0], raw, code, export, all)
		},
	}
	c.Flags().BoolVarP(&export, "export", "x", false, "print properties as scsi_id --export does")
	c.Flags().BoolVar(&all, "all", false, "print every id with its kind")
	c.Flags().StringVarP(&page, "page-code", "p", "", "take the id from page 0x80, 0x83 or pre-spc3-83, as scsi_id does")
	c.MarkFlagsMutuallyExclusive("export", "all")
	return c
}

// scsiIDPage reads scsi_id's --page-code.
func scsiIDPage(text string) (scsi.ScsiIDPage, error) {
	switch text {
	case "":
		return scsi.ScsiIDAuto, nil
	case "0x80":
		return scsi.ScsiIDPage80, nil
	case "0x83":
		return scsi.ScsiIDPage83, nil
	case "pre-spc3-83":
		return scsi.ScsiIDPreSPC3, nil
	}
	return 0, usagef("page %q is none of 0x80, 0x83, pre-spc3-83", text)
}

func printIDs(std streams, device string, raw scsi.Raw, page scsi.ScsiIDPage, export, all bool) error {
	id := scsi.Identify(raw)
	switch {
	case all:
		if len(id.IDs) == 0 {
			return fmt.Errorf("%s has no id: %s", device, id.Problem)
		}
		for _, i := range id.IDs {
			fmt.Fprintf(std.out, "%s %s\n", show.Safe(i.Value), idKind(i.Kind))
		}
		return nil
	case export || page != scsi.ScsiIDAuto:
		r, err := scsi.ScsiID(raw, page)
		if err != nil {
			return fmt.Errorf("%s: %w", device, err)
		}
		if export {
			for _, p := range r.Export() {
				fmt.Fprintf(std.out, "%s=%s\n", p.Name, p.Value)
			}
			return nil
		}
		if r.Serial == "" {
			return fmt.Errorf("%s has no id on that page", device)
		}
		_, err = fmt.Fprintln(std.out, r.Serial)
		return err
	case id.WWID == "":
		return fmt.Errorf("%s has no WWID: %s", device, id.Problem)
	}
	_, err := fmt.Fprintln(std.out, show.Safe(id.WWID))
	return err
}

func idKind(k scsi.IDKind) string {
	switch k {
	case scsi.IDWWID:
		return "wwid"
	case scsi.IDScsiID:
		return "scsi_id"
	case scsi.IDScsiID80:
		return "scsi_id-page-0x80"
	case scsi.IDOldS:
		return "old-scsi_id-page-0x80"
	case scsi.IDUdevSerial:
		return "udev"
	}
	return "other"
}

// readIDs asks a device for INQUIRY and the pages that bear ids. A page that it
// refuses is missing; a device that does not answer is an error. device is a path
// below /dev or a kernel name.
func readIDs(port scsi.Port, device string) (scsi.Raw, error) {
	name := strings.ReplaceAll(strings.TrimPrefix(device, "/dev/"), "/", "!")
	ask := func(what string, req scsi.Request) ([]byte, error) {
		var r scsi.Response
		for range scsiIDTries {
			r = port.Do(name, req)
			s, err := scsi.DecodeSense(r.Sense)
			if r.Errno != 0 || r.Status != scsi.StatusCheckCondition || err != nil {
				break
			}
			if s.Key == scsi.KeyIllegalRequest {
				return nil, nil
			}
			if s.Key != scsi.KeyUnitAttention {
				break
			}
		}
		if r.Errno != 0 {
			return nil, fmt.Errorf("%s of %s: %w%s", what, device, unix.Errno(r.Errno), deviceHint(unix.Errno(r.Errno)))
		}
		if !r.OK() {
			return nil, fmt.Errorf("%s of %s: %s", what, device, r)
		}
		return r.Data, nil
	}
	var raw scsi.Raw
	var err error
	if raw.Inquiry, err = ask("INQUIRY", scsi.Inquiry(scsiIDTimeoutMS)); err != nil {
		return raw, err
	}
	if raw.Inquiry == nil {
		return raw, fmt.Errorf("INQUIRY of %s: the device refuses the command that every SCSI device must know", device)
	}
	for _, p := range []struct {
		code uint8
		into *[]byte
	}{{scsi.PageSupported, &raw.VPD00}, {scsi.PageSerial, &raw.VPD80}, {scsi.PageIdentities, &raw.VPD83}} {
		what := fmt.Sprintf("INQUIRY page 0x%02x", p.code)
		if *p.into, err = ask(what, scsi.InquiryVPD(p.code, 254, scsiIDTimeoutMS)); err != nil {
			return raw, err
		}
		if b := *p.into; len(b) >= 254 && 4+int(b[2])<<8+int(b[3]) > len(b) {
			if *p.into, err = ask(what, scsi.InquiryVPD(p.code, scsiIDPageBytes, scsiIDTimeoutMS)); err != nil {
				return raw, err
			}
		}
	}
	return raw, nil
}

// deviceHint says what to do about an errno of a device.
func deviceHint(e unix.Errno) string {
	switch e {
	case unix.ENOENT, unix.ENODEV, unix.ENXIO:
		return ": there is no such device"
	case unix.EACCES, unix.EPERM:
		return ": needs root, outside of a container"
	case unix.ENOTTY, unix.EINVAL:
		return ": it is no SCSI device"
	}
	return ""
}
