package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"pathkeeper/daemon"
	"pathkeeper/dmmap"
	"pathkeeper/dmmap/dmioctl"
	"pathkeeper/dmmap/table"
	"pathkeeper/mpath"
	"pathkeeper/server"
	"pathkeeper/sysfs"
)

const (
	// daemonLimit is how long a daemon may take to answer before the host goes down
	// without it.
	daemonLimit = 15 * time.Second
	// lostLooks are as many looks, a second apart, at which a map must have no path:
	// a daemon that is just being started again may bring one back.
	lostLooks = 10
)

func hostEndsCommand(at *places, std streams) *cobra.Command {
	all := false
	c := &cobra.Command{
		Use: "host-ends", Short: "End queueing where the host would wait for it at its end", Args: takes(0, 0, ""),
		Long: `End queueing where a host that goes down would wait for it: on maps that have no
path, or with --all on every map. systemd's units call it at shutdown; by hand it is
never needed. Nothing is done where systemd does not say that the host goes down. The
daemon is asked first, which sees to maps without a path by itself; where none
answers, device-mapper is told, except for maps that the running system stands on.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if !daemon.HostEnds() {
				return nil // the unit is stopped by hand, or with the package
			}
			ctx, end := context.WithTimeout(c.Context(), daemonLimit)
			defer end()
			client := server.NewClient(at.socket)
			var err error
			if all {
				var r mpath.Reply
				r, err = client.Command(ctx, mpath.Command{Kind: mpath.CommandDisableQueueing, Arg: mpath.ForHostEnd})
				if err == nil && !r.OK {
					err = errors.New(r.Text)
				}
			} else {
				_, err = client.Status(ctx)
			}
			if err == nil {
				return nil
			}
			fmt.Fprintln(std.err, "no daemon sees to the maps:", err)
			dm, err := dmioctl.Open()
			if dmioctl.Missing(err) {
				return nil
			}
			if err != nil {
				return err
			}
			defer dm.Close()
			return hostEnds{dm: dm, std: std, sleep: time.Sleep, ends: daemon.HostEnds, ground: daemon.RunningOn}.run(all)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "on every map, whether it has a path or not")
	return c
}

// hostEnds ends queueing without a daemon.
type hostEnds struct {
	dm    dmmap.Port
	std   streams
	sleep func(time.Duration)
	// ends says whether the host still goes down, ground what the running system
	// stands on.
	ends   func() bool
	ground func() (sysfs.Ground, error)
}

func (h hostEnds) run(all bool) error {
	looks := 1
	spared := sysfs.Ground{}
	if !all {
		looks = lostLooks
		var err error
		if spared, err = h.ground(); err != nil {
			return fmt.Errorf("what the running system stands on: %w", err)
		}
		if spared.Unknown {
			return errors.New("nobody can tell which maps the running system stands on: no queue ends")
		}
	}
	var lost []table.UUID
	for n := range looks {
		if n > 0 {
			h.sleep(time.Second)
		}
		now, err := h.queueing(all, spared)
		if err != nil {
			return err
		}
		if n == 0 {
			lost = now
		}
		lost = slices.DeleteFunc(lost, func(u table.UUID) bool { return !slices.Contains(now, u) })
		if len(lost) == 0 {
			return nil
		}
	}
	if !h.ends() {
		return nil // the order was taken back
	}
	var errs []error
	for _, u := range lost {
		if _, err := call(h.dm, dmmap.Message{Map: dmmap.ByUUID(u), Text: dmmap.MessageFail}, dmmap.DecodeInfo); err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(h.std.err, "%s: the host goes down: queued I/O is failed now\n", u)
	}
	return errors.Join(errs...)
}

// queueing are the maps that queue, and unless all are wanted have no path.
func (h hostEnds) queueing(all bool, spared sysfs.Ground) ([]table.UUID, error) {
	entries, err := call(h.dm, dmmap.QueryList{}, dmmap.DecodeList)
	if err != nil {
		return nil, err
	}
	var list []table.UUID
	for _, e := range entries {
		info, err := call(h.dm, dmmap.QueryInfo{Map: dmmap.ByName(e.Name)}, dmmap.DecodeInfo)
		if err != nil || info.UUID.Kind() != table.KindMap {
			continue // it has left, or is none of ours
		}
		if slices.ContainsFunc(spared.Maps, func(f sysfs.Foundation) bool { return f.Major == info.Dev.Major && f.Minor == info.Dev.Minor }) {
			continue
		}
		lines, err := call(h.dm, dmmap.QueryTable{Map: dmmap.ByUUID(info.UUID)}, decodeTargets)
		if err != nil || len(lines) != 1 || lines[0].Target != table.Multipath {
			continue
		}
		if t, err := table.Parse(lines[0].Params); err != nil || !t.QueueIfNoPath() {
			continue
		}
		lines, err = call(h.dm, dmmap.QueryStatus{Map: dmmap.ByUUID(info.UUID)}, decodeTargets)
		if err != nil || len(lines) != 1 {
			continue
		}
		if s, err := table.ParseStatus(lines[0].Params); err == nil && (all || s.AllFailed()) {
			list = append(list, info.UUID)
		}
	}
	return list, nil
}
