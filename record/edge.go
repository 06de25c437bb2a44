package record

// Edge is one line of the history: something that changed about a path or a map,
// and why.
type Edge struct {
	Map    string `json:"map,omitempty"`    // its name
	WWID   string `json:"wwid,omitempty"`   // its WWID
	Path   string `json:"path,omitempty"`   // kernel name
	Dev    string `json:"dev,omitempty"`    // "8:16"
	Object string `json:"object,omitempty"` // of a note that is about neither: "time", "bug", ...
	What   What   `json:"what"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Why    string `json:"why,omitempty"`
	Level  uint8  `json:"level,omitempty"` // of a note, as syslog's
}

// What is the kind of an edge. The list is closed.
type What string

// Edges of a path, of a map, and of neither.
const (
	WhatSeen    What = "seen"    // the path is here; To: its address
	WhatState   What = "state"   // of the checker
	WhatKernel  What = "kernel"  // of the path in the kernel's table: active, failed, not in the table
	WhatLeft    What = "left"    // the device is gone
	WhatMap     What = "map"     // the map is here: created, adopted
	WhatGroup   What = "group"   // I/O goes through another path group
	WhatQueue   What = "queue"   // what happens to I/O while no path is usable
	WhatSuspend What = "suspend" // suspended, running
	WhatName    What = "name"    // renamed
	WhatError   What = "error"   // something cannot be done
	WhatRemoved What = "removed" // the map is gone
	WhatNote    What = "note"    // a line of the log that no other edge tells
	WhatDaemon  What = "daemon"  // the process starts
)
