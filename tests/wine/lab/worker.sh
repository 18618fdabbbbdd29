#!/usr/bin/env bash
# A worker under Wine, as the gateway starts it: worker.command = ["…/worker.sh", "SOURCE", "NAME=VALUE" …, "--"]. The gateway
# hands its workers few variables and none of Wine's, so they are set here. exec: what the gateway started must be the
# worker itself, for it is what it kills.
source=$1
shift
# First the lab's folder among them, which env.sh goes by.
while [ $# -gt 0 ] && [ "$1" != "--" ]; do export "${1?}"; shift; done
shift
. "$(dirname "$(readlink -f "$0")")/env.sh"
PYTHONPATH=$(winpath "$source")
export PYTHONPATH
exec wine "$WPYEXE" -P -s -m mxgateway_worker "$@"
