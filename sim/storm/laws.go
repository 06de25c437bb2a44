package storm

// The laws of the world: what an application, an administrator and an array would
// notice. Those of the core stand in mpath.
const (
	// Safety: at any moment.
	lawQueued    = "queued I/O is never failed before no_path_retry says"
	lawStray     = "no write reaches another LUN than the one it was meant for"
	lawResumed   = "a map suspended by us is resumed within a bound"
	lawOpen      = "an open map is never removed unless asked"
	lawAstray    = "a path that leads to another LUN is failed and stays out"
	lawConfirmed = "a confirmed write is there"
	lawOneReply  = "a command has one reply"
	lawReply     = "a command has its reply within its limit"
	lawApplied   = "an apply has one answer within its limit"
	lawPlan      = "a plan disturbs nothing, and one state has one plan"
	lawReplyText = "a reply says what is true now"
	lawNoPanic   = "the core does not panic"
	lawHarm      = "no write to sysfs loses a disk or fails I/O"

	// Liveness: when the faults are over.
	lawMapMade    = "every LUN gets its map"
	lawMapInEnd   = "every LUN has its map in the end"
	lawSuspended  = "no map stays suspended or empty"
	lawQueueing   = "queueing is as no_path_retry wants it"
	lawOwn        = "no map keeps a path that left or is not its own"
	lawReinstated = "every reachable path is reinstated within its bound"
	lawBest       = "the best group is current after failback"
	lawIO         = "I/O goes on in the end"

	// Of the storm itself.
	lawOwnConfig = "a configuration of the storm's own is right"
	lawSimulator = "the simulator works"
)

// Laws gives the sentences of the laws that storms hold the world against.
func Laws() []string {
	return []string{
		lawQueued,
		lawStray,
		lawResumed,
		lawOpen,
		lawAstray,
		lawConfirmed,
		lawOneReply,
		lawReply,
		lawApplied,
		lawPlan,
		lawReplyText,
		lawNoPanic,
		lawHarm,
		lawMapMade,
		lawMapInEnd,
		lawSuspended,
		lawQueueing,
		lawOwn,
		lawReinstated,
		lawBest,
		lawIO,
	}
}
