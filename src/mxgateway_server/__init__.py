"""The gateway: sessions, keys, events and Galaxy browse over gRPC. Console script `mxgateway`."""

import os

# gRPC's fork handlers crash a child between fork and exec (SIGABRT or SIGSEGV, about one start in sixty under uvloop,
# which forks). The gateway only ever execs, so it does without them; gRPC reads this when it is first imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import os

__version__ = "0.1.0"

# Read when gRPC is loaded, so it stands here: gRPC's own fork handlers would run in each worker between fork and exec
# (uvloop forks) and now and then abort it there. The gateway never goes on in a forked child, so it needs none.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
