package daemon

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// reexecMark says in the environment that the process has made itself safe and
// replaced itself once.
const reexecMark = "PATHKEEPER_PROTECTED"

// daemonName is what the process is called while it manages the host's maps: what asks
// `pgrep multipathd` or `ps -C multipathd` whether there is a manager finds it. Its
// command line, by which pidof goes, stays its own.
const daemonName = "multipathd"

// highestPriority is the lowest nice value (setpriority(2)). A starved daemon stands
// still, and after that checks every path before it decides anything.
const highestPriority = -20

// protect makes the process able to work while its own root hangs on a map that
// it must mend: memory for it never waits for writeback (PR_SET_IO_FLUSHER,
// prctl(2)) and it runs before what waits for its maps (nice -20), which every
// thread of the runtime has only after an exec; and its code and what it has
// touched stay in memory (mlockall with MCL_ONFAULT). Failures are reported, not fatal: a container
// may forbid them.
func protect() (problems []string) {
	if os.Getenv(reexecMark) == "" {
		// Both belong to a thread, and the one that calls exec is the one that stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, highestPriority); err != nil {
			problems = append(problems, fmt.Sprintf("nice %d: %v", highestPriority, err))
		}
		if err := unix.Prctl(unix.PR_SET_IO_FLUSHER, 1, 0, 0, 0); err != nil {
			problems = append(problems, fmt.Sprintf("PR_SET_IO_FLUSHER: %v", err))
		} else if self, err := os.Executable(); err == nil {
			_ = os.Setenv(reexecMark, "1")
			err = unix.Exec(self, os.Args, os.Environ())
			problems = append(problems, fmt.Sprintf("starting %s again with PR_SET_IO_FLUSHER: %v", self, err))
		}
	}
	_ = os.Unsetenv(reexecMark)
	if err := os.WriteFile("/proc/self/comm", []byte(daemonName), 0o644); err != nil {
		problems = append(problems, fmt.Sprintf("the name %s: %v", daemonName, err))
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		problems = append(problems, fmt.Sprintf("mlockall: %v", err))
	} else if err := holdProgram(); err != nil {
		problems = append(problems, fmt.Sprintf("holding the program in memory: %v", err))
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(-1000)), 0o644); err != nil {
		problems = append(problems, fmt.Sprintf("oom_score_adj: %v", err))
	}
	return problems
}
