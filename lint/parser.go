package lint

import "pathkeeper/configs"

// parserRules explain what the reader of the files says. A kind that is missing
// here is told all the same, without an explanation.
func parserRules() []Rule {
	told := func(kind configs.Kind, severity Severity, summary, why, fix string) Rule {
		return Rule{ID: string(kind), Severity: severity, Summary: summary, Why: why, Fix: fix, Parser: true}
	}
	return []Rule{
		told(configs.InvalidKeyword, Warning, "a word that is no keyword here", "The line has no effect. In a misspelt section nothing has: a blacklist with a typo in its name keeps out nothing.", "Correct the word, or move the line to the section it belongs to; `pathkeeper config help` lists all."),
		told(configs.InvalidValue, Warning, "a value that the keyword does not take", "The line has no effect and the default, or an earlier line, counts.", "`pathkeeper config help KEYWORD` says what it takes."),
		told(configs.DuplicateKeyword, Warning, "a keyword twice in one section", "The last one counts. Who changes the first one changes nothing.", "Remove all but one."),
		told(configs.DuplicateDevice, Warning, "two device entries with the same strings", "They are taken as one, the later values before the earlier ones.", "Make one of them."),
		told(configs.DuplicateMultipath, Warning, "two multipath entries for one WWID", "They are taken as one, the later values before the earlier ones; of two aliases the first one is gone.", "Make one of them."),
		told(configs.Capped, Warning, "a number beyond its limits", "The limit is used in its place.", "Write a number within the limits."),
		told(configs.Deprecated, Warning, "a keyword without effect today", "It is accepted so that old files load. Nothing happens.", "Leave the line out."),
		told(configs.DeprecatedValue, Warning, "the old spelling of a value", "It still means what it did, and a later release may refuse it.", "Write the new word."),
		told(configs.MissingValue, Warning, "a keyword without a value", "The line has no effect.", "Give it a value, or `\"\"` for an empty one."),
		told(configs.MissingQuote, Warning, "a quote that is not closed", "The value goes to the end of the line, with the comment that stands there.", "Close the quote."),
		told(configs.MissingOpenBrace, Warning, "a section without { on its line", "The brace must stand on the line of the section's name.", "Put { at the end of that line."),
		told(configs.MissingCloseBrace, Warning, "a section that is never closed", "Everything behind it is read as if it stood inside: a whole blacklist can get lost.", "Put } where the section ends."),
		told(configs.UnmatchedCloseBrace, Warning, "a } too much", "A section was closed too early, and what follows stands outside of it.", "Remove it, or find the { that is missing."),
		told(configs.ExtraData, Warning, "more words than the line takes", "All but the first are ignored: `path_selector round-robin 0` without quotes is not what it looks like.", "Put values of several words into quotes; begin comments with #."),
		told(configs.BadArgumentCount, Warning, "a count that does not fit", "`features \"1 pg_init_retries 50\"` announces one word and has two. The line has no effect.", "Correct the number in front."),
		told(configs.BadUIDAttrs, Warning, "uid_attrs that is no list of PREFIX:PROPERTY", "The pair has no effect.", "`uid_attrs \"sd:ID_SERIAL dasd:ID_UID\"`."),
		told(configs.SlashNotAllowed, Warning, "a slash in a name", "A map's name is one name below /dev/mapper. The line has no effect, and the map goes by another name.", "Write the name without its folder."),
		told(configs.NotCompiledIn, Warning, "something that Pathkeeper does not have", "The line has no effect.", "Leave it out; docs/differences.md has what takes its place."),
		told(configs.DeviceIncomplete, Warning, "a device entry without vendor or product", "The whole entry has no effect.", "Give both; `.*` for any product."),
		told(configs.MultipathWithoutWWID, Warning, "a multipath entry without a wwid", "The whole entry has no effect: its alias and its owner are given to nobody.", "Add the wwid."),
		told(configs.ProtocolWithoutType, Warning, "a protocol entry without a type", "The whole entry has no effect.", "Add the type, such as `type \"scsi:fcp\"`."),
		told(configs.QueueFeature, Warning, "queue_if_no_path among the features of an array that is built in", "The built-in entry has no_path_retry, which counts. I/O then does not wait for ever, as the line says.", "Write no_path_retry."),
		told(configs.Rejected, Error, "a value because of which the file cannot be used", "The daemon keeps its last good configuration, and does not start without one. multipathd does not start either.", "Correct the line."),
		told(configs.OldSpelling, Warning, "a keyword of older guides", "It is taken in today's meaning here, and multipath-tools has forgotten it: on the next host the line is lost.", "Write today's keyword; the text has it."),
		told(configs.UnknownName, Warning, "a selector, checker or prioritizer that does not exist", "multipath-tools says nothing and builds no map; here the default takes its place.", "Correct the word."),
		told(configs.BadRegex, Warning, "an expression that cannot be read", "The device entry never matches, without a word from multipath-tools.", "Correct the expression; put a backslash before a character that is meant as itself."),
		told(configs.HardRegex, Warning, "an expression that takes too long to match", "It is given up after a bounded time and then counts as no match: whether the rule hits depends on the text it is held against.", "Write it without nested repeats such as `(a*)*`, or as several rules."),
		told(configs.NoText, Warning, "a file that is no text", "A byte order mark is harmless. Of UTF-16, a program or a compressed file nothing is read: there is no blacklist and no alias.", "Save it as plain ASCII or UTF-8 without a mark, or put the right file back."),
		told(configs.CutLine, Hint, "a carriage return or NUL within a line", "The rest of the line is not read.", "Save the file with plain line ends."),
		told(configs.SectionOpen, Warning, "a section within a section", "Usually the } of the one before is missing, and what follows is read in the wrong place.", "Close the section before."),
		told(configs.AliasTwice, Error, "one alias for two LUNs", "The name goes to whichever comes first at this boot. The service opens the other LUN by the right name.", "Give each its own alias."),
		told(configs.NoEffect, Hint, "a keyword that the running kernel has no use for", "The line has no effect.", "Leave it out."),
		told(configs.DropInIgnored, Warning, "a drop-in that is left out because of an error", "Nothing of it counts: not its blacklist, not its aliases.", "Correct the error that the text names."),
		told(configs.MatchesAll, Warning, "a rule that hits every device", "Empty texts match anything.", "Give vendor or product."),
		told(configs.More, Hint, "more messages than are shown", "The first ones are usually the cause of the others.", "Correct those and check again."),
		told(configs.UnreadableFile, Warning, "a drop-in that cannot be read", "Nothing of it counts.", "Correct its permissions, or remove it."),
		told(configs.NotRead, Hint, "multipath.conf beside pathkeeper.yaml", "One form is read, and the native one goes first.", "Remove the other, or keep it for the way back."),
	}
}
