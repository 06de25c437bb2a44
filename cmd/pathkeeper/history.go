package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pathkeeper/configs"
	"pathkeeper/pathcheck"
	"pathkeeper/record"
	"pathkeeper/server"
	"pathkeeper/show"
)

const historyHelp = `What happened to a map or a path, when and why: states of paths, failovers and
failbacks, queueing, new tables, what somebody else did. It is read from the
daemon's recording in /run, also when the daemon is dead; with --file from a copy.`

func historyCommand(at *places, std streams) *cobra.Command {
	var file, sinceText string
	asJSON := false
	c := &cobra.Command{
		Use: "history MAP|PATH", Short: "What happened to a map or path, when and why", Long: historyHelp,
		Args: takes(1, 1, "one map or path"),
		RunE: func(c *cobra.Command, args []string) error {
			since, err := parseWhen("since", sinceText, time.Now())
			if err != nil {
				return err
			}
			h := record.NewHistory(args[0], since)
			from := file
			if file == "" {
				from = recorderDir
				if _, err := server.NewClient(at.socket).Status(c.Context()); errors.Is(err, server.ErrNotRunning) {
					defer func() {
						if !h.Ended.IsZero() {
							fmt.Fprintf(std.err, "pathkeeper: the daemon is not running: its recording ends %s\n", clock(h.Ended))
						}
					}()
				}
			}
			said := &problems{to: std.err}
			err = eachFile(from, func(name string, in io.Reader) error { return h.File(name, in, said.tell) })
			said.end()
			switch {
			case errors.Is(err, record.ErrNoRecord):
				return usagef("%v of Pathkeeper's", err)
			case err != nil && file == "":
				return noRecording(recorderDir, err)
			case err != nil:
				return err
			}
			if !h.Find() {
				return unknownName(args[0], h)
			}
			now := time.Now()
			if file != "" {
				now = h.Ended
			}
			if asJSON {
				return historyJSON(std.out, h)
			}
			return historyText(std.out, h, now, file != "")
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "read this recording, a file or directory, instead of the daemon's")
	f.StringVar(&sinceText, "since", "", "only since then: 2h (ago), 15:04, \"2006-01-02 15:04:05\"")
	f.BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// noRecording says why the daemon's recording cannot be had. That is no mistake on the
// command line, which named no file.
func noRecording(dir string, err error) error {
	if _, gone := os.Stat(dir); errors.Is(gone, fs.ErrNotExist) {
		return fmt.Errorf("there is no recording in %s: no daemon has run here since the boot, `systemctl start pathkeeper` starts it; `pathkeeper record list` lists copies from before", dir)
	}
	return fmt.Errorf("the daemon's recording, which is root's, cannot be read: %v", err)
}

func unknownName(name string, h *record.History) error {
	text := fmt.Sprintf("the recording tells of no map and no path %s", name)
	if near := configs.Nearest(name, h.Known()); near != "" {
		return fmt.Errorf("%s, did you mean %s?", text, near)
	}
	if h.Began.IsZero() {
		return errors.New(text + ": it is empty")
	}
	return fmt.Errorf("%s; it begins %s", text, clock(h.Began))
}

func historyJSON(out io.Writer, h *record.History) error {
	told := h.Told
	if told == nil {
		told = []record.Told{}
	}
	b, err := json.MarshalIndent(struct {
		Pathkeeper int           `json:"pathkeeper"`
		Map        string        `json:"map"`
		WWID       string        `json:"wwid"`
		Path       string        `json:"path,omitempty"`
		Paths      []string      `json:"paths,omitempty"`
		Began      time.Time     `json:"recording_begins"`
		Ended      time.Time     `json:"recording_ends"`
		LeftOut    int           `json:"left_out"`
		History    []record.Told `json:"history"`
		Now        []record.Told `json:"now"`
	}{1, h.Map, h.WWID, h.Path, h.Paths, h.Began, h.Ended, h.Left, told, h.Now()}, "", "  ")
	if err == nil {
		_, err = out.Write(append(b, '\n'))
	}
	return err
}

func historyText(to io.Writer, h *record.History, now time.Time, old bool) error {
	out := bufio.NewWriter(to)
	title := h.Map + " (" + h.WWID + ")"
	if h.Path != "" {
		title = h.Path + ", a path of " + title
	} else if len(h.Paths) > 0 {
		title += ", paths " + strings.Join(h.Paths, " ")
	}
	fmt.Fprintln(out, show.Safe(title))
	unit := "ago"
	if old {
		unit = "before its end"
	}
	fmt.Fprintf(out, "recorded since %s (%s %s)\n\n", clock(h.Began), ago(now.Sub(h.Began)), unit)
	if h.Left > 0 {
		fmt.Fprintf(out, "the oldest %d lines are left out\n", h.Left)
	}
	for _, t := range h.Told {
		fmt.Fprintf(out, "%s %8s %s\n", clock(t.Wall), ago(now.Sub(t.Wall)), show.Safe(sentence(t.Edge)))
	}
	if last := h.Now(); len(last) > 0 {
		fmt.Fprintln(out, map[bool]string{false: "\nnow", true: "\nat the end of the recording"}[old])
		for _, t := range last {
			fmt.Fprintf(out, "  %s, since %s (%s)\n", show.Safe(standing(t.Edge)), clock(t.Wall), ago(now.Sub(t.Wall)))
		}
	}
	return out.Flush()
}

// sentence tells an edge.
func sentence(e record.Edge) string {
	text := ""
	path := "path " + e.Path + " (" + e.Dev + ")"
	switch e.What {
	case record.WhatSeen:
		text = path + " is here, at " + e.To
	case record.WhatState:
		text = path + " is " + e.To
		if e.From != "" && e.From != pathcheck.StateUnknown.Shown() {
			text += ", was " + e.From
		}
	case record.WhatKernel:
		text = inKernel(path, e)
		if e.To == "failed" && strings.HasPrefix(e.Why, "the kernel failed") {
			return e.Why
		}
	case record.WhatLeft:
		text = path + " left"
	case record.WhatMap:
		text = "the map " + e.To + " is here"
	case record.WhatGroup:
		text = "I/O moves from group " + e.From + " to group " + e.To
	case record.WhatQueue:
		text = "I/O without a path is " + e.To + ", was " + e.From
	case record.WhatSuspend:
		text = "the map is " + e.To
	case record.WhatName:
		text = "renamed from " + e.From + " to " + e.To
	case record.WhatError:
		text = "cannot be done"
	case record.WhatRemoved:
		text = "the map is gone"
	case record.WhatDaemon:
		text = "the daemon " + e.To
	default:
		switch {
		case e.Path != "":
			return path + ": " + e.Why
		case e.Object != "":
			return e.Object + ": " + e.Why
		}
		return e.Why
	}
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

// inKernel tells what became of a path in the kernel's table.
func inKernel(path string, e record.Edge) string {
	switch {
	case e.To == "not in the table":
		return path + " leaves the table"
	case e.From == "" || e.From == "not in the table":
		return path + " joins the table, " + e.To
	case e.To == "failed":
		return path + " is failed in the kernel"
	}
	return path + " is active in the kernel again"
}

// standing tells how something is since an edge.
func standing(e record.Edge) string {
	switch e.What {
	case record.WhatState:
		return "path " + e.Path + " is " + e.To
	case record.WhatLeft:
		return "path " + e.Path + " is gone"
	case record.WhatGroup:
		return "I/O goes through group " + e.To
	case record.WhatQueue:
		return "I/O without a path is " + e.To
	case record.WhatMap:
		return "the map " + e.To + " is there"
	case record.WhatRemoved:
		return "the map is gone"
	}
	return sentence(e)
}
