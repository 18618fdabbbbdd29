"""Workers start safely beside gRPC's threads."""

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
