package sim

import (
	"embed"
	"path"
)

// scenarioFiles are the scripts that only the simulator can play: what a RAC host
// sees, and failures that a real machine cannot be made to have.
//
//go:embed scenarios/*.txt
var scenarioFiles embed.FS

// ScenarioFile is a built-in script.
type ScenarioFile struct{ Name, Text string }

// Scenarios gives the built-in scripts by name, the host's first.
func Scenarios() []ScenarioFile {
	out := []ScenarioFile{Host()}
	entries, err := scenarioFiles.ReadDir("scenarios") // sorted by name
	if err != nil {
		panic("sim: the built-in scenarios: " + err.Error())
	}
	for _, e := range entries {
		if e.Name() != hostName {
			out = append(out, builtin(e.Name()))
		}
	}
	return out
}

const hostName = "host.txt"

// Host is the script that leaves a RAC host with its daemon.
func Host() ScenarioFile { return builtin(hostName) }

func builtin(name string) ScenarioFile {
	text, err := scenarioFiles.ReadFile(path.Join("scenarios", name))
	if err != nil {
		panic("sim: the built-in scenario: " + err.Error())
	}
	return ScenarioFile{"sim/scenarios/" + name, string(text)}
}
