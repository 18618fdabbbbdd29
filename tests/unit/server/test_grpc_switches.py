"""What the gateway switches in gRPC before it is imported."""

import subprocess
import sys


def test_grpc_sees_that_its_fork_handlers_are_not_wanted() -> None:
    """The switch is set by importing the gateway, before anything of it imports grpc."""
    code = (
        "import os, sys; os.environ.pop('GRPC_ENABLE_FORK_SUPPORT', None); import mxgateway_server;"
        "assert 'grpc' not in sys.modules; print(os.environ['GRPC_ENABLE_FORK_SUPPORT'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout.strip() == "0"


def test_grpc_listens_without_the_event_engine() -> None:
    """The switch is one that the installed gRPC knows: it says nothing about it, and a server serves."""
    code = (
        "import os; os.environ.pop('GRPC_EXPERIMENTS', None); import mxgateway_server, asyncio, grpc.aio\n"
        "async def serve():\n"
        "    server = grpc.aio.server(); assert server.add_insecure_port('127.0.0.1:0')\n"
        "    await server.start(); await server.stop(None)\n"
        "asyncio.run(serve()); print(os.environ['GRPC_EXPERIMENTS'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout.strip() == "-event_engine_listener"
    assert result.stderr == ""
