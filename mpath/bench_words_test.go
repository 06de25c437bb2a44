package mpath

import (
	"fmt"
	"strings"

	"pathkeeper/dmmap/table"
)

// actionWords writes an action shortly, as a person would say it.
func actionWords(a Action) string {
	devs := func(list []table.DevNum) string {
		if len(list) == 0 {
			return ""
		}
		return fmt.Sprintf(" then fail %v", list)
	}
	flags := func(names ...string) string {
		s := ""
		for i := 0; i+1 < len(names); i += 2 {
			if names[i] == "true" {
				s += " " + names[i+1]
			}
		}
		return s
	}
	// Paths that join are asked once more who they are, right before the load.
	joins := func(list []PathRef) string {
		out := ""
		for _, r := range list {
			if r.Expect != "" {
				out += fmt.Sprintf(" %s=%s/%s/%d", r.Name, r.Expect, r.SG, r.HostNo)
			}
		}
		if out == "" {
			return ""
		}
		return " asking" + out
	}
	yes := func(b bool) string { return fmt.Sprint(b) }
	switch a := a.(type) {
	case Scan:
		return "scan"
	case ListMaps:
		return "list"
	case Identify:
		return "identify " + a.Name
	case ReadMap:
		return "read " + strings.TrimPrefix(a.UUID, "mpath-")
	case StartCheck:
		words := fmt.Sprintf("check %s %s %dms prio=%s%s", a.Name, a.Checker, a.TimeoutMS, a.Prio, flags(yes(a.Identify), "identify "+a.Expect))
		if a.SG != "sg-"+a.Name || a.HostNo != 7 { // as of every disk of the bench
			words += fmt.Sprintf(" by %q host %d", a.SG, a.HostNo)
		}
		if more := extras("args", a.PrioArgs, "serial", a.Serial, "tpgs", a.TPGS); more != "" {
			words += " " + more
		}
		return words
	case CreateMap:
		return fmt.Sprintf("create %s %s %d%s%s owner %s: %s", a.Name, a.WWID, a.Size, flags(yes(a.ReadOnly), "read-only", yes(a.NoKpartx), "no-kpartx")+joins(a.Paths), devs(a.Fail), a.Owner, a.Table.String())
	case LoadMap:
		return fmt.Sprintf("load %s %d%s%s: %s", a.Name, a.Size, flags(yes(a.ReadOnly), "read-only", yes(a.NoKpartx), "no-kpartx", yes(a.Rollback), "rollback")+joins(a.Paths), devs(a.Fail), a.Table.String())
	case ResizeMap:
		return fmt.Sprintf("resize %s %d -> %d%s: %s", a.Name, a.From, a.Size, flags(yes(a.Force), "forced", yes(a.ReadOnly), "read-only", yes(a.NoKpartx), "no-kpartx")+joins(a.Paths), a.Table.String())
	case ReadSizes:
		words := fmt.Sprintf("sizes %s %d paths, stale %d", a.WWID, len(a.Paths), a.Stale)
		if len(a.Standby) > 0 {
			words += fmt.Sprintf(", standby %v", a.Standby)
		}
		return words
	case ResumeMap:
		return "resume " + a.Name + flags(yes(a.NoKpartx), "no-kpartx")
	case SuspendMap:
		return "suspend " + a.Name
	case RemoveMap:
		words := "remove " + a.Name + flags(yes(a.Deferred), "deferred")
		if len(a.Partitions) > 0 {
			words += " with " + strings.Join(a.Partitions, " ")
		}
		return words
	case RenameMap:
		words := "rename " + a.Name + " to " + a.To + flags(yes(a.NoKpartx), "no-kpartx")
		for _, p := range a.Parts {
			words += fmt.Sprintf(" %s to %s", p.Name, p.To)
		}
		return words
	case Message:
		return "message " + a.Name + " " + a.Text
	case SaveNames:
		return fmt.Sprintf("save-names %v %v", a.Bindings, a.OldIDs)
	case SaveWWIDs:
		return fmt.Sprintf("save-wwids %v", a.WWIDs)
	case FindWWIDs:
		return fmt.Sprintf("find-wwids %v", a.WWIDs)
	case MarkFailed:
		return "mark-failed " + a.WWID
	case ForgetLoad:
		return "forget-load " + a.WWID
	case SavePRKey:
		return "save-key " + a.Key.WWID + " " + a.Key.String()
	case SaveDeadlines:
		s := "save-deadlines"
		for _, d := range a.Deadlines {
			s += fmt.Sprintf(" %s at %.2f%s", d.WWID, float64(d.At-Instant(100*Second))/1e9, flags(yes(d.Expired), "expired"))
		}
		for _, k := range a.Kept {
			s += fmt.Sprintf(" kept %s retry %d/%d interval %d flush %q%s", k.WWID, k.NoPathRetry.Mode, k.NoPathRetry.Checks, k.PollingInterval, k.FlushOnLastDel,
				flags(yes(k.DeferredRemove), "deferred", yes(k.QueueWithoutDaemon), "queue-without-daemon", yes(k.QueueOff), "off", yes(k.QueueWas), "was-on"))
		}
		return s
	case Trigger:
		return "trigger " + a.Verb + " " + a.Name
	case SetOwner:
		return fmt.Sprintf("owner %s %s", a.Dev, a.Owner)
	case SetKnobs:
		s := "knobs " + a.Dir
		for _, k := range a.Knobs {
			s += " " + k.Name + map[bool]string{true: ">=", false: "="}[k.Raise] + k.Value
		}
		return s
	case LimitPaths:
		s := fmt.Sprintf("limit %s %s to %d", a.WWID, a.Dev, a.KB)
		for _, r := range a.Paths {
			s += " " + r.Name
		}
		return s
	case Note:
		return fmt.Sprintf("%d %s: %s", a.Level, a.Object, a.Text)
	case Bug:
		return "bug " + a.Object + ": " + a.Text
	case Applied:
		s := fmt.Sprintf("applied ok=%v: %s", a.OK, a.Text)
		for _, m := range a.Maps {
			s += fmt.Sprintf(" [%s %s %s]", m.Name, m.Result, m.Text)
		}
		return s
	case Reply:
		return fmt.Sprintf("reply %d ok=%v: %s", a.Code, a.OK, a.Text)
	}
	return fmt.Sprintf("%T", a)
}
