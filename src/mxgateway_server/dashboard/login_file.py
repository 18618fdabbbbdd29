"""The logins as a file: they survive a restart, and hold no token, only hashes."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from mxgateway_contract.private_files import write_private
from mxgateway_server.dashboard.logins import Login, from_json, to_json
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)


class LoginFile:
    """Where the logins of one gateway lie. It blocks on the disk.

    Attributes:
        gateway_id: tells the gateways of one host apart; made with the file.
        logins: as they were at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.gateway_id = secrets.token_hex(8)
        self.logins: list[Login] = []
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            logins = from_json(found["logins"])
            gateway_id = str(found["gatewayId"])
            if not (len(gateway_id) == 16 and gateway_id.isalnum()):
                raise ValueError("gatewayId")
        except FileNotFoundError:
            self.save([])
        except (OSError, KeyError, TypeError, ValueError) as error:
            logger.warning("logins_unread", path=str(path), error=error, meaning="everybody has to sign in anew")
            self.save([])
        else:
            self.gateway_id, self.logins = gateway_id, logins

    def save(self, logins: list[Login]) -> bool:
        """Stores the logins; False when the disk does not take them."""
        text = json.dumps({"gatewayId": self.gateway_id, "logins": to_json(logins)})
        try:
            write_private(self._path, text)
        except OSError as error:
            logger.warning("logins_not_stored", path=str(self._path), error=error)
            return False
        return True
