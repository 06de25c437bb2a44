package mpath

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// The text form of events and actions: the kind's name, a blank, and its fields
// as JSON on one line. It is the format of recorder, golden transcripts and
// replay, and it round-trips.

func eventKinds() []Event {
	return []Event{
		Wake{},
		Configured{},
		StateLoaded{},
		DeviceHint{},
		StoodStill{},
		Overrun{},
		Scanned{},
		PathSeen{},
		PathUnreadable{},
		CheckDone{},
		MapsListed{},
		MapEvent{},
		MapRead{},
		NodeSeen{},
		ActionDone{},
		Stopping{},
		Command{},
		Apply{},
		SizesRead{},
		KnobsSet{},
		WWIDsFound{},
	}
}

func actionKinds() []Action {
	return []Action{
		Scan{},
		ListMaps{},
		Identify{},
		ReadMap{},
		StartCheck{},
		CreateMap{},
		LoadMap{},
		ResumeMap{},
		RemoveMap{},
		SuspendMap{},
		ReadSizes{},
		ResizeMap{},
		Reply{},
		Applied{},
		RenameMap{},
		Message{},
		SaveNames{},
		SaveWWIDs{},
		FindWWIDs{},
		MarkFailed{},
		ForgetLoad{},
		SaveDeadlines{},
		SavePRKey{},
		Trigger{},
		SetOwner{},
		SetKnobs{},
		LimitPaths{},
		Note{},
		Bug{},
	}
}

// ActionKind is the name of an action's kind: "LoadMap".
func ActionKind(a Action) string { return reflect.TypeOf(a).Name() }

// EventText gives the text form of an event.
func EventText(e Event) string { return text(e) }

// ActionText gives the text form of an action.
func ActionText(a Action) string { return text(a) }

// ParseEvent reads the text form of an event.
func ParseEvent(s string) (Event, error) {
	v, err := parse(s, eventKinds())
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return v, nil
}

// ParseAction reads the text form of an action.
func ParseAction(s string) (Action, error) {
	v, err := parse(s, actionKinds())
	if err != nil {
		return nil, fmt.Errorf("action: %w", err)
	}
	return v, nil
}

func text(v any) string {
	var b bytes.Buffer
	b.WriteString(reflect.TypeOf(v).Name() + " ")
	if err := encodePlain(&b, v); err != nil {
		// Plain data always encodes; a kind that does not is a bug that every
		// round-trip test finds.
		return reflect.TypeOf(v).Name() + " !" + err.Error()
	}
	return b.String()
}

var (
	errKind = errors.New("no such kind")
	errTail = errors.New("there is more than one value")
)

func parse[T any](s string, kinds []T) (T, error) {
	var none T
	name, body, _ := strings.Cut(s, " ")
	for _, k := range kinds {
		t := reflect.TypeOf(k)
		if t.Name() != name {
			continue
		}
		p := reflect.New(t)
		if err := decodePlain(body, p.Interface()); err != nil {
			return none, fmt.Errorf("%s: %w", name, err)
		}
		return p.Elem().Interface().(T), nil
	}
	return none, fmt.Errorf("%q: %w", name, errKind)
}
