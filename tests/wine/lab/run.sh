#!/usr/bin/env bash
# Runs a command with the lab's prefix open: run.sh COMMAND …
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
. "$(dirname "${BASH_SOURCE[0]}")/keeper.sh"
# One at a time: whoever ends takes along all that runs in the prefix. What runs there must not hold the lock itself.
exec 8>"$MXGATEWAY_WINELAB/in-use"
flock -n 8 || { echo "another run has the Wine lab; waiting for its end" >&2; flock 8; }
keeper_start 8>&-
trap keeper_stop EXIT
"$@" 8>&-
