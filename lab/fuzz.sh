#!/usr/bin/env bash
# Runs every fuzz target of the tree for FUZZTIME (default 60s), one after the
# other. A case that is found is kept by go test under testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rl --include='*_test.go' 'func Fuzz' . | sort | while read -r file; do
  dir=$(dirname "$file")
  grep -o 'func Fuzz[A-Za-z0-9_]*' "$file" | sed 's/func //' | while read -r target; do
    echo "== $dir $target"
    go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-60s}" -fuzzminimizetime 10x
  done
done
