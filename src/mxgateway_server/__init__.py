"""The gateway: sessions, keys, events and Galaxy browse over gRPC. Console script `mxgateway`."""

import os
from importlib.metadata import version

__version__ = "0.1.0"

# gRPC reads both when it is first imported, so they stand here.

# Its fork handlers crash a child between fork and exec (SIGABRT or SIGSEGV, about one start in sixty under uvloop,
# which forks). The gateway only ever execs, so it does without them.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# With the event engine a message that arrives passes through a pool of threads first; the poller that it is to replace
# takes a third of the latency off a command stream. Newer versions may not know the name, and would say so on stderr.
if tuple(map(int, version("grpcio").split(".")[:2])) <= (1, 85):
    os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")
