"""A real gateway with the simulator for tests of your own: separate processes, TLS, a key, a Galaxy.

Needs the extra `server` to be installed beside the client; nothing of it is imported here.
"""

from __future__ import annotations

from mxgateway.testing.local import LocalGateway, LocalGatewayError
from mxgateway.testing.plant import LocalPlant, PlantError

__all__ = ["LocalGateway", "LocalGatewayError", "LocalPlant", "PlantError"]
