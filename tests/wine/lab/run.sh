#!/usr/bin/env bash
# Runs a command with the lab's prefix open: run.sh COMMAND …
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
. "$(dirname "${BASH_SOURCE[0]}")/keeper.sh"
keeper_start
trap keeper_stop EXIT
"$@"
