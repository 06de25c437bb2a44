#!/bin/sh
# programs.sh BINARY [NAME...]: the programs of multipath-tools and kpartx, and those
# named, that this binary answers as, by asking it. What it does not know stays with
# its own package.
set -eu
bin=$(realpath "$1")
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for name in multipath multipathd multipathc kpartx mpathpersist "$@"; do
	ln -s "$bin" "$dir/$name"
	case $("$dir/$name" -h 2>&1 || true) in
	*"not one of Pathkeeper's commands"* | "Pathkeeper builds"*) ;;
	*) echo "$name" ;;
	esac
done
