#!/usr/bin/python3
# What libblockdev's mpath plugin says of maps and paths, or with "flush" does to them.
import os
import sys

# The plugin does not load without mpathconf, which only Red Hat's package has.
os.environ["LIBBLOCKDEV_SKIP_DEP_CHECKS"] = ""
import gi

gi.require_version("BlockDev", "2.0")
from gi.repository import BlockDev, GLib

BlockDev.init(BlockDev.plugin_specs_from_names(("mpath",)), None)


def ask(what, function, *arguments):
    try:
        answer = function(*arguments)
        print(what, sorted(answer) if isinstance(answer, list) else answer)
    except GLib.GError as e:
        print(what, "error:", e.message.strip())


if sys.argv[1:] == ["flush"]:
    ask("flush", BlockDev.mpath_flush_mpaths)
    sys.exit()
print("loaded", BlockDev.is_plugin_available(BlockDev.Plugin.MPATH))
ask("maps", BlockDev.mpath_is_tech_avail, BlockDev.MpathTech.BASE, BlockDev.MpathTechMode.QUERY)
ask("friendly names", BlockDev.mpath_is_tech_avail, BlockDev.MpathTech.FRIENDLY_NAMES, BlockDev.MpathTechMode.MODIFY)
ask("set friendly names", BlockDev.mpath_set_friendly_names, True)
ask("members", BlockDev.mpath_get_mpath_members)
for device in sys.argv[1:]:
    ask(device, BlockDev.mpath_is_mpath_member, device)
