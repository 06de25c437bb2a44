package mpath

// The laws: what must hold whatever happens. Each has one sentence; a broken one is
// a bug of the core, never of the world.
const (
	lawName           = "a map has a name"
	lawNameOfOneLUN   = "a name belongs to one LUN"
	lawSize           = "only a resize changes a map's size"
	lawFlush          = "no flush while a path is failed"
	lawSizesMix       = "paths of different sizes never mix"
	lawOneCheck       = "no two checks in flight on a path"
	lawOneQuestion    = "one open question per map"
	lawRemoveOpen     = "an open map is never removed unless asked"
	lawLoadOfMap      = "a load belongs to a map"
	lawEmptyTable     = "no empty table"
	lawHeld           = "every path of a load is held"
	lawKnownPaths     = "a load contains only known paths"
	lawOneWWID        = "one WWID per map, ever"
	lawOneLUN         = "one LUN per map, ever"
	lawVerified       = "no load contains a path whose identity was not verified since it last failed"
	lawFailAgain      = "paths that are merely down are failed again right after resume"
	lawHeldInLoad     = "every held path is in the load"
	lawPathOrder      = "paths are kept by id"
	lawForgotten      = "a path that left is forgotten"
	lawInItsMap       = "a path stands in the list of its map"
	lawInTable        = "a path knows whether it stands in its map's table"
	lawOverdue        = "an overdue check is in flight"
	lawNoUse          = "a path that hangs or leads to another LUN does not count as up"
	lawFoundByID      = "a path is found by every id of its LUN"
	lawFoundByTarget  = "a path is found by its target"
	lawFoundByName    = "a path is found by its name"
	lawMapOrder       = "maps are kept by WWID"
	lawOwnPaths       = "a map lists its own paths"
	lawFoundByDev     = "a map is found by its device number"
	lawFoundByMembers = "a map is found by the devices of its table"
	lawFoundBySeq     = "an open question is found by its number"
	lawBelief         = "what the kernel has not is not believed"
	lawInOneMap       = "every path is in one map"
	lawQuestions      = "no question is forgotten"
	lawOneLook        = "at most one open question per device"
	lawDeadlines      = "no deadline is forgotten"
	lawEdges          = "fail and reinstate on edges only"
	lawOneLoad        = "no load while a load is unanswered"
	lawFirstPicture   = "nothing is changed before the first picture is complete"
	lawQueueOff       = "queueing is switched off only when no_path_retry, a removal or an operator says so"
	lawLeftAlone      = "a path that is left alone joins no table"
	lawPlanned        = "an apply changes no map otherwise than its plan says"
	lawAskedFirst     = "a load of an apply or a reload contains only paths that were asked since it began"
	lawOneRollback    = "at most one rollback per configuration and map"
	lawBounded        = "every queue is bounded"
	lawPortTimes      = "dev_loss_tmo is never 0 and always above fast_io_fail_tmo"
	lawLimit          = "the max_sectors_kb of a path in a table stays as it is"
)

// Laws gives the sentences of all laws that CheckActions and CheckState hold the
// core against.
func Laws() []string {
	return []string{
		lawName,
		lawNameOfOneLUN,
		lawSize,
		lawFlush,
		lawSizesMix,
		lawOneCheck,
		lawOneQuestion,
		lawRemoveOpen,
		lawLoadOfMap,
		lawEmptyTable,
		lawHeld,
		lawKnownPaths,
		lawOneWWID,
		lawOneLUN,
		lawVerified,
		lawFailAgain,
		lawHeldInLoad,
		lawPathOrder,
		lawForgotten,
		lawInItsMap,
		lawInTable,
		lawOverdue,
		lawNoUse,
		lawFoundByID,
		lawFoundByTarget,
		lawFoundByName,
		lawMapOrder,
		lawOwnPaths,
		lawFoundByDev,
		lawFoundByMembers,
		lawFoundBySeq,
		lawBelief,
		lawInOneMap,
		lawQuestions,
		lawOneLook,
		lawDeadlines,
		lawEdges,
		lawOneLoad,
		lawFirstPicture,
		lawQueueOff,
		lawLeftAlone,
		lawPlanned,
		lawAskedFirst,
		lawOneRollback,
		lawBounded,
		lawPortTimes,
		lawLimit,
	}
}
